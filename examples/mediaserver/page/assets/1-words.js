// Small things that every part uses.

/** The element with an id. */
const $ = (id) => document.getElementById(id);

/** A new element: its properties, then its children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A number of bytes for people. */
function bytes(n) {
  if (!Number.isFinite(n)) return "";
  if (n < 1000) return `${n}\u00a0B`;
  const units = ["kB", "MB", "GB"];
  let i = -1;
  do { n /= 1000; i++; } while (n >= 999.5 && i < units.length - 1);
  return `${n.toLocaleString(undefined, { maximumFractionDigits: n < 10 ? 1 : 0 })}\u00a0${units[i]}`;
}

/** What a content type is called. */
function format(contentType = "") {
  const names = { "image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WebP" };
  return names[contentType] ?? contentType.replace(/^image\//, "").toUpperCase();
}

const dimensions = (details) => `${details.width} × ${details.height}`;

/** Shows a sentence at the bottom for a while; screen readers say it. */
function note(text) {
  const line = make("p", { className: "note", textContent: text });
  $("notes").append(line);
  setTimeout(() => line.remove(), 5000);
}
