/* Follows the news of one run: from its beginning, and after a broken connection from where it was.

   The browser connects again by itself and says which event was the last; any replica can go on from there. Only when it
   has given up (it was refused, or something between here and the service answered instead) it is asked anew, from the
   beginning, and what was heard before is passed over. */

const WAITS_MS = [1000, 2000, 5000, 10000];

/** Ids are `milliseconds-number`. */
function is_after(id, other) {
  if (!other) return true;
  const [time, number] = id.split("-").map(Number);
  const [other_time, other_number] = other.split("-").map(Number);
  return time > other_time || (time === other_time && number > other_number);
}

export class Stream {
  /** `hear`: news(kind, detail, milliseconds), done(words), lost(), back(), refused() → whether to ask again. */
  constructor(run, kinds, hear) {
    this.run = run;
    this.kinds = kinds;
    this.hear = hear;
    this.last = "";
    this.tries = 0;
    this.is_over = false;
    this.heard_at = performance.now();
    this.open();
  }

  open() {
    const source = this.source = new EventSource(`/v1/runs/${this.run}/events`);
    source.onopen = () => { this.tries = 0; this.heard_at = performance.now(); this.hear.back(); };
    for (const kind of this.kinds) source.addEventListener(kind, (event) => this.take(kind, event));
    source.addEventListener("done", (event) => { if (!this.is_over) { this.close(); this.hear.done(JSON.parse(event.data)); } });
    source.onerror = () => {
      if (this.is_over) return;
      this.hear.lost();
      if (source.readyState === EventSource.CLOSED) this.timer = setTimeout(() => this.again(), this.wait());
    };
  }

  wait() {
    return WAITS_MS[Math.min(this.tries++, WAITS_MS.length - 1)];
  }

  async again() {
    if (this.is_over) return;
    if (await this.hear.refused()) { if (!this.is_over) this.open(); } else this.close();
  }

  take(kind, event) {
    if (this.is_over || !is_after(event.lastEventId, this.last)) return;
    this.last = event.lastEventId;
    this.heard_at = performance.now();
    this.hear.news(kind, JSON.parse(event.data).detail ?? "", Number(event.lastEventId.split("-")[0]));
  }

  close() {
    this.is_over = true;
    clearTimeout(this.timer);
    this.source.close();
  }
}
