/** A long list of which only what is near the eye is there: pieces of it are filled and emptied as it is scrolled. */

import { el } from "./dom.js";

/** Cursors of a piece. */
const PIECE = 20;
/** The height of a row before it was ever shown, in pixels. */
const GUESS = 64;
/** So far beyond what is seen, in pixels. */
const AHEAD = 500;
const AT_END = 48;
const ANCHORS = CSS.supports("overflow-anchor", "auto");

class Piece {
  constructor(number) {
    this.rows = [];
    this.isFilled = false;
    this.node = el("div", { class: "piece", role: "none" });
    this.node.piece = this;
    this.number = number;
  }
}

/**
 * @param scroller the element that scrolls.
 * @param list what the pieces are in.
 * @param render makes the element of a row, given it and the row before.
 */
export class Windowed {
  #pieces = new Map();
  #seen;
  #place = null;

  constructor(scroller, list, render) {
    Object.assign(this, { scroller, list, render, isAtEnd: true, count: 0 });
    this.#seen = new IntersectionObserver((entries) => this.#look(entries), { root: scroller, rootMargin: `${AHEAD}px 0px` });
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.sizes = new ResizeObserver(() => this.isAtEnd && this.isInSight && this.toEnd());
    this.sizes.observe(list);
    this.sizes.observe(scroller);
  }

  /** Whether somebody can see the list at all. */
  get isInSight() {
    return this.scroller.offsetParent !== null;
  }

  /** The list is in sight again: where it was. */
  shown() {
    if (this.isAtEnd) this.toEnd();
    else if (this.#place && Math.abs(this.scroller.scrollTop - this.#place.top) > 1) this.reveal(this.#place.cursor, "start");
    const near = this.scroller.getBoundingClientRect();
    for (const piece of this.#pieces.values()) {
      const { top, bottom } = piece.node.getBoundingClientRect();
      const isFar = bottom < near.top - AHEAD || top > near.bottom + AHEAD;
      if (piece.isFilled && isFar && this.#mayGo(piece)) this.#empty(piece, bottom - top);
    }
  }

  /** The cursor of the first row that is seen, or 0. */
  firstSeen() {
    const { left, top, width } = this.scroller.getBoundingClientRect();
    return Number(document.elementFromPoint(left + width / 2, top + 3)?.closest("[data-cursor]")?.dataset.cursor ?? 0);
  }

  /** Bring a row into sight; its element, or none if it is not in the list. */
  reveal(cursor, block) {
    const node = this.row(cursor);
    if (!node) return null;
    this.isAtEnd = false;
    node.scrollIntoView({ block });
    this.#scrolled();
    return node;
  }

  /** Whether a row is in sight. */
  isSeen(cursor) {
    const piece = this.#pieces.get(Math.floor((cursor - 1) / PIECE));
    const box = piece?.isFilled && this.isInSight ? this.#shown(piece, cursor)?.getBoundingClientRect() : null;
    const { top, bottom } = this.scroller.getBoundingClientRect();
    return Boolean(box) && box.bottom > top && box.top < bottom;
  }

  #scrolled() {
    const { scroller } = this;
    if (!this.isInSight) return;
    this.isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END;
    this.#place = this.isAtEnd ? null : { cursor: this.firstSeen(), top: scroller.scrollTop };
  }

  /** Show these rows, in the order of their cursors, and no others. */
  set(rows) {
    this.count = rows.length;
    this.#seen.disconnect();
    this.#pieces.clear();
    for (const row of rows) this.#pieceOf(row).rows.push(row);
    const pieces = [...this.#pieces.values()];
    this.list.replaceChildren(...pieces.map((piece) => piece.node));
    for (const piece of pieces) this.#empty(piece, piece.rows.length * GUESS);
    if (pieces.length) this.#fill(pieces[pieces.length - 1]);
    pieces.forEach((piece) => this.#seen.observe(piece.node));
    if (this.isAtEnd) this.toEnd();
  }

  /** One row more, at the end. */
  append(row) {
    this.count += 1;
    const known = this.#pieces.size;
    const piece = this.#pieceOf(row);
    const before = piece.rows[piece.rows.length - 1] ?? this.#before(piece);
    piece.rows.push(row);
    if (this.#pieces.size > known) {
      this.list.append(piece.node);
      this.#fill(piece);
      this.#seen.observe(piece.node);
    } else if (piece.isFilled) {
      piece.node.append(this.render(row, before));
    } else {
      piece.node.style.height = `${piece.node.offsetHeight + GUESS}px`;
    }
    if (this.isAtEnd) this.toEnd();
  }

  /** Rows at the beginning; what is looked at stays where it is. */
  prepend(rows) {
    this.count += rows.length;
    const { scroller } = this;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const touched = new Map();
    for (const row of rows) {
      const piece = this.#pieceOf(row);
      if (!touched.has(piece)) touched.set(piece, []);
      touched.get(piece).push(row);
    }
    const made = [];
    for (const [piece, more] of touched) {
      const isNew = !piece.rows.length;
      piece.rows = [...more, ...piece.rows];
      if (isNew) made.push(piece);
      else if (piece.isFilled) this.#fill(piece);
      else piece.node.style.height = `${piece.node.offsetHeight + more.length * GUESS}px`;
    }
    for (const piece of made) this.#empty(piece, piece.rows.length * GUESS);
    this.list.prepend(...made.map((piece) => piece.node));
    scroller.scrollTop = scroller.scrollHeight - fromEnd;
    if (!this.isInSight && this.#place) this.#place.top = -1; // there it cannot be scrolled
    made.forEach((piece) => this.#seen.observe(piece.node));
  }

  /** Leave out what is before a cursor. */
  drop(first) {
    for (const [number, piece] of this.#pieces) {
      if ((number + 1) * PIECE >= first) continue;
      this.count -= piece.rows.length;
      this.#seen.unobserve(piece.node);
      piece.node.remove();
      this.#pieces.delete(number);
    }
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.isAtEnd = true;
  }

  /** The element of the row with a cursor, made if need be; none if it is not in the list. */
  row(cursor) {
    const piece = this.#pieces.get(Math.floor((cursor - 1) / PIECE));
    if (!piece?.rows.some((row) => row.cursor === cursor)) return null;
    if (!piece.isFilled) this.#fill(piece);
    return this.#shown(piece, cursor);
  }

  /** Make a row's element anew, if it is there. */
  refresh(cursor) {
    const piece = this.#pieces.get(Math.floor((cursor - 1) / PIECE));
    const node = piece?.isFilled ? this.#shown(piece, cursor) : null;
    if (!node) return;
    const at = piece.rows.findIndex((row) => row.cursor === cursor);
    if (node.matches(":active")) {
      setTimeout(() => this.refresh(cursor), 150);
      return;
    }
    const fresh = this.render(piece.rows[at], piece.rows[at - 1] ?? this.#before(piece));
    const hadFocus = node.contains(document.activeElement);
    const label = document.activeElement?.textContent;
    if (node.querySelector(".body:not(.long)")) fresh.querySelector(".body.long + button")?.click();
    node.replaceWith(fresh);
    if (!hadFocus) return;
    const same = [...fresh.querySelectorAll("button, a, summary")].find((one) => one.textContent === label);
    (same ?? fresh).focus({ preventScroll: true });
  }

  /** Make those elements anew that are there, of rows of which something is so. */
  refreshIf(is) {
    for (const piece of this.#pieces.values()) {
      if (piece.isFilled) piece.rows.filter(is).forEach((row) => this.refresh(row.cursor));
    }
  }

  /** The cursor of the row so many rows after, or before, that with a cursor. */
  beside(cursor, step) {
    const cursors = [...this.#pieces.values()]
      .sort((one, other) => one.number - other.number)
      .flatMap((piece) => piece.rows.map((row) => row.cursor));
    const at = cursors.indexOf(cursor);
    if (at < 0) return cursors[step > 0 ? 0 : cursors.length - 1];
    return cursors[Math.min(cursors.length - 1, Math.max(0, at + step))];
  }

  #pieceOf(row) {
    const number = Math.floor((row.cursor - 1) / PIECE);
    let piece = this.#pieces.get(number);
    if (!piece) this.#pieces.set(number, (piece = new Piece(number)));
    return piece;
  }

  #shown(piece, cursor) {
    return [...piece.node.children].find((node) => Number(node.dataset.cursor) === cursor) ?? null;
  }

  #before(piece) {
    for (let number = piece.number - 1; number >= piece.number - 3; number--) {
      const rows = this.#pieces.get(number)?.rows;
      if (rows?.length) return rows[rows.length - 1];
    }
    return undefined;
  }

  #fill(piece) {
    let before = this.#before(piece);
    const nodes = piece.rows.map((row) => {
      const node = this.render(row, before);
      before = row;
      return node;
    });
    const anchored = this.#anchor(piece);
    piece.node.style.height = "";
    piece.node.replaceChildren(...nodes);
    piece.isFilled = true;
    anchored();
  }

  /** Where the browser does not itself: have what is seen stay where it is, though what is above it changes. */
  #anchor(piece) {
    if (ANCHORS || !piece.node.isConnected) return () => {};
    const before = piece.node.getBoundingClientRect();
    if (before.bottom > this.scroller.getBoundingClientRect().top) return () => {};
    return () => {
      this.scroller.scrollTop += piece.node.getBoundingClientRect().height - before.height;
    };
  }

  #empty(piece, height) {
    piece.node.style.height = `${height}px`;
    piece.node.replaceChildren();
    piece.isFilled = false;
  }

  #look(entries) {
    if (!this.isInSight) return; // then all heights are 0
    const leaving = entries
      .map((entry) => [entry, entry.target.piece])
      .filter(([entry, piece]) => !entry.isIntersecting && piece.isFilled && this.#mayGo(piece))
      .map(([, piece]) => [piece, piece.node.offsetHeight]);
    for (const [piece, height] of leaving) this.#empty(piece, height);
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !target.piece.isFilled) this.#fill(target.piece);
    }
    if (this.isAtEnd) this.toEnd();
  }

  #mayGo(piece) {
    return !piece.node.contains(document.activeElement) && piece.node !== this.list.lastChild;
  }
}
