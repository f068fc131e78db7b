// Taking back what one has written, where others write as well: what they wrote in between stays.
//
//   record(edit, text)     an edit of one's own, and the text it was made on
//   pass(edit)             an edit of somebody else: what is to be taken back moves along
//   undo, redo             the edit that does it, on the text as it is; null where there is none

import { compose, size, tidy, transform } from "./edits.js";

const TOGETHER_MS = 700; // what is typed in one go is taken back in one go
const MOST = 200;

export class Undo {
  #done = []; // edits that take back, each on the text that the ones behind it leave
  #undone = [];
  #last_ms = 0;

  record(edit, text) {
    const back = inverse(edit, text);
    const now = Date.now();
    if (now - this.#last_ms < TOGETHER_MS && this.#done.length) {
      this.#done.push(compose(back, this.#done.pop()));
    } else {
      this.#done = [...this.#done.slice(1 - MOST), back];
    }
    this.#undone = [];
    this.#last_ms = now;
  }

  pass(edit) {
    this.#done = moveAlong(this.#done, edit);
    this.#undone = moveAlong(this.#undone, edit);
  }

  undo(text) {
    return this.#turn(this.#done, this.#undone, text);
  }

  redo(text) {
    return this.#turn(this.#undone, this.#done, text);
  }

  #turn(from, to, text) {
    this.#last_ms = 0;
    while (from.length) {
      const edit = from.pop();
      if (edit.length) { // the others may have taken all of it out
        to.push(inverse(edit, text));
        return edit;
      }
    }
    return null;
  }
}

function moveAlong(stack, edit) {
  let over = edit;
  return stack.toReversed().map((back) => {
    const moved = transform(back, over, true);
    over = transform(over, back, false);
    return moved;
  }).reverse();
}

/** Return the edit that takes another one back. text: what that one was made on. */
function inverse(edit, text) {
  const characters = [...text];
  let at = 0;
  return tidy(edit.map((part) => {
    if (typeof part === "string") {
      return -size(part);
    }
    at += Math.abs(part);
    return part > 0 ? part : characters.slice(at + part, at).join("");
  }));
}
