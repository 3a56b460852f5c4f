// @ts-check

/**
 * The page's own font as a rule of style that needs no page, so that a drawing looks the same on its own; "" if the
 * page has none.
 * @param {string} family
 */
export async function fontRule(family) {
  const rule = facesOf(document).find((face) => isUpright(face.style, family));
  const path = rule?.style.getPropertyValue("src").match(/url\("?([^")]+)"?\)/)?.[1];
  if (!rule || !path) return "";
  const file = await fetch(new URL(path, rule.parentStyleSheet?.href ?? document.baseURI));
  const address = await toDataUrl(await file.blob());
  return `@font-face { font-family: "${family}"; font-weight: 100 900; src: url(${address}) format("woff2"); }`;
}

/** @param {Document} page */
function facesOf(page) {
  return Array.from(page.styleSheets)
    .flatMap((sheet) => Array.from(sheet.cssRules))
    .filter((rule) => rule instanceof CSSFontFaceRule);
}

/**
 * @param {CSSStyleDeclaration} style
 * @param {string} family
 */
function isUpright(style, family) {
  const name = style.getPropertyValue("font-family").replaceAll(/["']/g, "");
  return name === family && style.getPropertyValue("font-style") !== "italic";
}

/**
 * @param {Blob} file
 * @returns {Promise<string>}
 */
function toDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
