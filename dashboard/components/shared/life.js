// @ts-check
// How long a component lives. Streamlit calls it anew whenever its data or the theme change; what it remembers in
// between is kept here, by the element that it was mounted in, until that element leaves the page.

/**
 * How a component answers Python: a value that stays, or one that is heard once.
 * @typedef {object} Answers
 * @property {(name: string, value: unknown) => void} setStateValue
 * @property {(name: string, value: unknown) => void} setTriggerValue
 */

/**
 * What Streamlit calls a component with; Python wraps the data in a list.
 * @template Data
 * @typedef {Answers & {parentElement: ParentNode & Node, data: [Data]}} Call
 */

/**
 * Make a component of two functions: one that creates its view, once, and one that takes new data.
 * @template Data, View
 * @param {(parent: ParentNode, ending: AbortSignal) => View} create `ending` aborts when the component leaves the page
 * @param {(view: View, data: Data, answers: Answers) => void} receive
 * @returns {(call: Call<Data>) => () => void}
 */
export function component(create, receive) {
  /** @type {WeakMap<Node, {view: View, ending: AbortController}>} */
  const lives = new WeakMap();
  return ({ parentElement, data: [data], setStateValue, setTriggerValue }) => {
    let life = lives.get(parentElement);
    if (!life) {
      const ending = new AbortController();
      life = { view: create(parentElement, ending.signal), ending };
      lives.set(parentElement, life);
    }
    const { view, ending } = life;
    receive(view, data, { setStateValue, setTriggerValue });
    return () => {
      // Streamlit also runs this for a call that a newer one overtook: then the component lives on.
      if (parentElement.isConnected) return;
      ending.abort();
      lives.delete(parentElement);
    };
  };
}

/**
 * Return the first element of a kind that a selector finds.
 * @template {Element} Kind
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function find(parent, selector, kind) {
  const element = parent.querySelector(selector);
  if (element instanceof kind) return element;
  throw new TypeError(`The component's markup has no ${kind.name} ${selector}`);
}

/**
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {string} text
 */
export function write(parent, selector, text) {
  find(parent, selector, HTMLElement).textContent = text;
}
