// @ts-check

/**
 * Make the browser's history hold one entry a page. Streamlit adds one whenever a page changes its own address, so that
 * Back would undo every slider and every fold before it leaves; here such a change replaces the entry instead.
 */
export function keepOneEntryAPage() {
  if (history.pushState.name === pushOrReplace.name) return;
  const push = history.pushState.bind(history);
  history.pushState = pushOrReplace;

  /**
   * @param {any} state
   * @param {string} unused
   * @param {string | URL | null} [address]
   */
  function pushOrReplace(state, unused, address) {
    const isSamePage = new URL(address ?? "", location.href).pathname === location.pathname;
    return isSamePage ? history.replaceState(state, unused, address) : push(state, unused, address);
  }
}
