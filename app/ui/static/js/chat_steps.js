/* What the agent does now: a list of steps, each with how long it took by the service's clock. */

const TICK_MS = 100;

export class Steps {
  constructor(list, status) {
    this.list = list;
    this.status = status;
  }

  /** Begin anew. */
  clear() {
    clearInterval(this.ticking);
    this.list.replaceChildren();
    this.current = null;
    this.status.textContent = "";
  }

  /** A step begins, and the one before it is over. `at`: when, in the service's milliseconds; null when that is not known. */
  begin(words, at = null, is_bad = false) {
    if (this.current?.words === words) return;
    this.end(at);
    const item = document.createElement("li");
    item.className = is_bad ? "bad" : "at";
    const label = document.createElement("span");
    label.textContent = words;
    const took = document.createElement("span");
    took.className = "took";
    item.append(label, took);
    this.list.append(item);
    this.current = { words, at, item, took, since: performance.now() };
    this.status.textContent = words;
    clearInterval(this.ticking);
    this.ticking = setInterval(() => this.tick(), TICK_MS);
  }

  /** The step that was going on is over. */
  end(at = null) {
    if (!this.current) return;
    const { item, took, since } = this.current;
    const begun = this.current.at;
    took.textContent = seconds(at !== null && begun !== null ? at - begun : performance.now() - since);
    item.classList.remove("at");
    clearInterval(this.ticking);
    this.current = null;
  }

  tick() {
    if (this.current) this.current.took.textContent = seconds(performance.now() - this.current.since);
  }
}

function seconds(milliseconds) {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s`;
}
