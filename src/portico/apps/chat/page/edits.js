// Edits of a text, as the server has them in notes.py: a list of numbers and texts that goes through the old text from
// its start. A number keeps so many characters, a text is inserted, a number below 0 leaves so many out; what is behind
// the last part is kept. Characters are code points, here and there; offsets in a field are UTF-16 units.
//
// Nothing here touches the document, or waits. For two edits of one text, of which `one` is first:
// apply(apply(text, one), transform(other, one, false)) === apply(apply(text, other), transform(one, other, true))

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/** Return how many code points a text has. */
export function size(text) {
  return PAIR.test(text) ? [...text].length : text.length;
}

/** Return the offset that is `count` code points behind `from`. */
function ahead(text, from, count) {
  let at = from;
  for (let left = count; left > 0; left -= 1) {
    at += text.codePointAt(at) > 0xffff ? 2 : 1;
  }
  return at;
}

const isText = (part) => typeof part === "string"; // a text of digits is no number, though it compares like one

/** Return the one form of an edit: no empty part, no two of a kind in a row, an insertion before what goes. */
export function tidy(parts) {
  const made = [];
  for (const part of parts) {
    add(made, part);
  }
  if (!isText(made.at(-1)) && made.at(-1) > 0) {
    made.pop();
  }
  return made;
}

function add(made, part) {
  const last = made.at(-1);
  if (!part) {
    return;
  }
  if (isText(part) && !isText(last) && last < 0) {
    made.pop();
    add(made, part);
    made.push(last);
  } else if (isText(part) === isText(last) && (isText(part) || part * last > 0)) {
    made[made.length - 1] = last + part;
  } else {
    made.push(part);
  }
}

/** Return a text as an edit makes it. */
export function apply(text, edit) {
  const made = [];
  let at = 0;
  for (const part of edit) {
    if (isText(part)) {
      made.push(part);
      continue;
    }
    const end = ahead(text, at, Math.abs(part));
    if (part > 0) {
      made.push(text.slice(at, end));
    }
    at = end;
  }
  return made.join("") + text.slice(at);
}

/** Return an edit as it is on the text that `over` has changed already. is_first: where both insert at one place. */
export function transform(edit, over, is_first) {
  const made = [];
  const rest = [...edit].reverse();
  for (const part of over) {
    if (isText(part)) {
      while (is_first && isText(rest.at(-1))) {
        made.push(rest.pop());
      }
      made.push(size(part));
    } else {
      const mine = takeOld(rest, Math.abs(part));
      made.push(...(part > 0 ? mine : mine.filter(isText)));
    }
  }
  return tidy([...made, ...rest.reverse()]);
}

/** Take what goes through the next characters of the old text. */
function takeOld(rest, count) {
  const taken = [];
  let left = count;
  while (left && rest.length) {
    const part = rest.pop();
    if (isText(part)) {
      taken.push(part);
      continue;
    }
    const step = Math.min(Math.abs(part), left) * Math.sign(part);
    left -= Math.abs(step);
    if (step !== part) {
      rest.push(part - step);
    }
    taken.push(step);
  }
  return [...taken, left];
}

/** Return one edit that does what two do, the second one made on the text that the first leaves. */
export function compose(first, second) {
  const made = [];
  const rest = [...first].reverse();
  for (const part of second) {
    if (isText(part)) {
      made.push(part);
    } else if (part > 0) {
      made.push(...takeNew(rest, part));
    } else {
      made.push(...takeNew(rest, -part).map((each) => (isText(each) ? "" : -Math.abs(each))));
    }
  }
  return tidy([...made, ...rest.reverse()]);
}

/** Take what makes the next characters of the new text, and what goes in front of them. */
function takeNew(rest, count) {
  const taken = [];
  let left = count;
  while (left && rest.length) {
    const part = rest.pop();
    const length = isText(part) ? size(part) : part;
    if (length <= left) {
      taken.push(part);
      left -= Math.max(length, 0);
    } else if (isText(part)) {
      const end = ahead(part, 0, left);
      taken.push(part.slice(0, end));
      rest.push(part.slice(end));
      left = 0;
    } else {
      taken.push(left);
      rest.push(part - left);
      left = 0;
    }
  }
  return [...taken, left];
}

/** Return the edit that makes one text of another. caret: where, in the new text, somebody has just typed. */
export function difference(before, after, caret = after.length) {
  const shorter = Math.min(before.length, after.length);
  let tail = 0;
  while (tail < Math.min(shorter, after.length - caret) && before.at(-1 - tail) === after.at(-1 - tail)) {
    tail += 1;
  }
  let head = 0;
  while (head < shorter - tail && before[head] === after[head]) {
    head += 1;
  }
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) {
    tail += 1;
  }
  head -= isTorn(before, head) || isTorn(after, head) ? 1 : 0;
  tail -= isTorn(before, before.length - tail) || isTorn(after, after.length - tail) ? 1 : 0;
  const gone = before.slice(head, before.length - tail);
  return tidy([size(before.slice(0, head)), after.slice(head, after.length - tail), -size(gone)]);
}

/** Tell whether an offset is within a character. */
function isTorn(text, at) {
  return at > 0 && PAIR.test(text.slice(at - 1, at + 1));
}

/** Return where an offset of a text is after an edit. is_first: whether it stays in front of what is inserted there. */
export function moved(text, edit, offset, is_first) {
  let [at, now] = [0, 0];
  for (const part of edit) {
    if (isText(part)) {
      now += at < offset || !is_first ? part.length : 0;
      continue;
    }
    const end = ahead(text, at, Math.abs(part));
    if (end >= offset && !(end === offset && part > 0)) {
      return now + (part > 0 ? offset - at : 0);
    }
    now += part > 0 ? end - at : 0;
    at = end;
  }
  return now + offset - at;
}

/**
 * Cut an edit in two, of which the first inserts at most `most` characters in at most `parts` parts; the second is on
 * the text that the first leaves. What goes, goes with the first.
 */
export function cut(edit, most, parts) {
  const [first, second] = [[], []];
  let left = most;
  edit.forEach((part, at) => {
    if (at >= parts) {
      second.push(part);
    } else if (!isText(part)) {
      first.push(part);
      second.push(Math.max(part, 0));
    } else {
      const end = size(part) > left ? ahead(part, 0, left) : part.length;
      const taken = part.slice(0, end);
      first.push(taken);
      second.push(size(taken), part.slice(end));
      left -= size(taken);
    }
  });
  return [tidy(first), tidy(second)];
}
