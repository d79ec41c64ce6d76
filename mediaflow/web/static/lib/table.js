/** Rows of a table from texts and nodes. */

import { setText } from './dom.js';

/** Put these rows into the body; each is a list of cells: a text, a node, or null for an empty one. */
export function fillRows(body, rows) {
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement('tr');
    row.append(...cells.map(cellOf));
    return row;
  }));
}

function cellOf(content) {
  const cell = document.createElement('td');
  cell.append(content ?? '');
  return cell;
}

/** An element with a text, a class name and data members. */
export function labelled(tag, text, { className = '', data = {} } = {}) {
  const node = document.createElement(tag);
  setText(node, text);
  node.className = className;
  Object.assign(node.dataset, data);
  return node;
}

/** A time as people say it, and exactly as its title. */
export function timeOf(rfc3339, words) {
  const node = labelled('time', words(rfc3339));
  node.dateTime = rfc3339;
  node.title = new Date(rfc3339).toLocaleString();
  return node;
}
