// The search works in pages that are opened from a folder, too. Browsers start no workers there, so what the search
// calls a worker runs in a hidden frame; the index is in search.js, which `tools/build_site.py` writes.
if (location.protocol === "file:") {
  // Both sides get copies of their own, as with a worker.
  const later = (data, deliver) => {
    const copy = structuredClone(data);
    setTimeout(() => deliver(copy));
  };

  window.Worker = class {
    onmessage = null;
    onerror = null;
    #frame = document.createElement("iframe");
    #waiting = [];

    constructor(url) {
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html>";
      this.#frame.addEventListener("load", () => this.#begin(url), { once: true });
      document.body.append(this.#frame);
    }

    #begin(url) {
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => later(data, (copy) => this.onmessage?.({ data: copy }));
      const script = inside.document.createElement("script");
      script.src = url;
      script.onerror = () => this.onerror?.(new Error(`${url} cannot be loaded`));
      script.onload = () => {
        const waiting = this.#waiting;
        this.#waiting = null;
        waiting.forEach((data) => this.postMessage(data));
      };
      inside.document.body.append(script);
    }

    postMessage(data) {
      if (this.#waiting) this.#waiting.push(data);
      else later(data, (copy) => this.#frame.contentWindow?.onmessage?.({ data: copy }));
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
