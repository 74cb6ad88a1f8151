// Elements, built without ever reading a text as HTML: what comes from outside is only ever text.

const SVG = "http://www.w3.org/2000/svg";

// Make an element. Properties: `class`, `on*` (a listener), anything else is an attribute; null and false leave it out.
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

// Put other children in place of those that are there.
export function fill(element, ...children) {
  element.replaceChildren(...given(children));
  return element;
}

// Say something; an unchanged text isn't said again to a screen reader.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let ids = 0;
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...given(children));
  return element;
}

function given(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}
