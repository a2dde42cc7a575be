// The hosts chosen for what is done to many: by name, so that they stay chosen wherever they stand and whatever is shown.

const many = (number) => number.toLocaleString("en");

export class Choice {
  #names = new Set();
  #shown = 0;

  /** form: that posts them as `on`; most: at once; changed(): called after every change. */
  constructor(form, most, changed) {
    Object.assign(this, { most, changed });
    this.bar = form.closest("bulk-bar");
    this.bar.said = () => this.#said();
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
    this.#shown = shown;
    this.bar.show();
  }

  #said() {
    const { size } = this;
    if (!size) return "None chosen";
    const hidden = size > this.#shown ? `, ${many(size - this.#shown)} of them not shown` : "";
    return `${many(size)} chosen${hidden}${size > this.most ? `: at most ${many(this.most)} at once` : ""}`;
  }
}
