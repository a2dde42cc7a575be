// The hosts chosen for what is done to many: by name, so that they stay chosen wherever they stand and whatever is shown.

export class Choice {
  #names = new Set();

  /** form: that posts them as `on`; most: at once; changed(): called after every change. */
  constructor(form, most, changed) {
    Object.assign(this, { form, most, changed });
    this.said = form.querySelector("#selected");
    form.addEventListener("formdata", ({ formData }) => {
      formData.delete("on");
      for (const name of this.#names) formData.append("on", name);
    });
  }

  has(name) {
    return this.#names.has(name);
  }

  get size() {
    return this.#names.size;
  }

  set(names, chosen) {
    for (const name of names) {
      if (chosen) this.#names.add(name);
      else this.#names.delete(name);
    }
    this.changed();
  }

  /** shown: how many of the chosen are among the shown. */
  tell(shown) {
    const { size } = this;
    const hidden = size - shown ? `, ${(size - shown).toLocaleString("en")} of them not shown` : "";
    const many = size > this.most ? `: at most ${this.most.toLocaleString("en")} at once` : "";
    this.said.textContent = size ? `${size.toLocaleString("en")} selected${hidden}${many}` : "none selected";
    for (const button of this.form.querySelectorAll("button")) button.disabled = size === 0 || size > this.most;
  }
}
