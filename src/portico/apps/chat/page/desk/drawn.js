// Elements that are drawn anew only where what they are made from has changed, so that a click, a focus or a selection
// is not taken from under somebody's hands.

export class Drawn {
  #signatures = new WeakMap(); // element to what it was drawn from

  /** Draw an element anew where `from` is not what it was. make: returns its nodes. */
  renew(element, from, make) {
    const signature = JSON.stringify(from);
    if (this.#signatures.get(element) === signature) {
      return;
    }
    this.#signatures.set(element, signature);
    const focused = element.contains(document.activeElement) && document.activeElement.dataset.act;
    element.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
    if (focused) {
      element.querySelector(`[data-act="${focused}"]`)?.focus();
    }
  }
}
