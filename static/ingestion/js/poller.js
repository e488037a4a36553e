// Asks an address again and again, with manners: never two requests at once, slower when the answers
// are slow or nothing changes, not at all in a hidden tab, and patiently while nobody answers.
import { ApiError, goToLogin } from "./api.js";

const MOST_SECONDS = 30;
const UNCHANGED_UNTIL_IDLE = 30;
const IDLE_FACTOR = 2.5;
const ANSWER_SECONDS = 10;

export class Poller {
  /** `url` gives the address; `onData(json)` gets what changed; `onLook(look)` hears of each look. */
  constructor({ url, seconds, onData, onLook = () => {} }) {
    Object.assign(this, { url, seconds, onData, onLook });
    this.failures = 0;
    this.unchanged = 0;
    this.etag = null;
    this.timer = null;
    this.isAsking = false;
    this.asksAgain = false;
    this.askedToWait = 0;
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.wake()));
    window.addEventListener("online", () => this.wake());
    this.now();
  }

  wake() {
    if (this.seconds) this.now();
  }

  /** 0 stops the updates until `now` or another interval. */
  every(seconds) {
    this.seconds = seconds;
    this.stop();
    if (seconds) this.now();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** Look at once; a look that is under way is followed by another. */
  async now() {
    this.stop();
    this.unchanged = 0;
    if (this.isAsking) this.asksAgain = true;
    else await this.look();
  }

  async look() {
    this.isAsking = true;
    const began = performance.now();
    try {
      await this.ask();
      this.failures = 0;
      this.askedToWait = 0;
    } catch (problem) {
      this.failures += 1;
      this.onLook({ ok: false, failures: this.failures, problem });
    }
    this.isAsking = false;
    this.plan((performance.now() - began) / 1000);
  }

  plan(tookSeconds) {
    if (this.asksAgain) {
      this.asksAgain = false;
      this.look();
    } else if (this.seconds && !document.hidden) {
      this.stop();
      this.timer = setTimeout(() => this.look(), 1000 * this.delay(tookSeconds));
    }
  }

  delay(tookSeconds) {
    const patience = 2 ** Math.min(this.failures, 4);
    const idle = this.unchanged >= UNCHANGED_UNTIL_IDLE ? IDLE_FACTOR : 1;
    const wanted = Math.max(this.seconds * idle, 4 * Math.min(tookSeconds, ANSWER_SECONDS / 4));
    const delay = this.failures ? Math.min(wanted * patience, Math.max(MOST_SECONDS, this.seconds)) : wanted;
    return Math.max(delay, this.askedToWait);
  }

  async ask() {
    const address = this.url();
    if (address !== this.address) this.etag = null;
    this.address = address;
    const response = await this.response(address);
    this.askedToWait = Number(response.headers.get("Retry-After")) || 0;
    if (response.status === 401) return goToLogin();
    if (response.status === 304) {
      this.unchanged += 1;
    } else {
      const data = await response.json().catch(() => null);
      if (!response.ok || data === null) throw refusal(response, data);
      this.unchanged = 0;
      // Of an answer to an address that is not asked any more nothing is kept.
      if (address === this.url()) {
        this.etag = response.headers.get("ETag");
        this.onData(data);
      }
    }
    return this.onLook({ ok: true, failures: 0, takenAt: response.headers.get("Data-Taken-At") });
  }

  async response(address) {
    const headers = { Accept: "application/json" };
    if (this.etag) headers["If-None-Match"] = this.etag;
    const signal = AbortSignal.timeout(1000 * ANSWER_SECONDS);
    return fetch(address, { headers, signal, credentials: "same-origin", cache: "no-store" });
  }
}

function refusal(response, data) {
  const error = data?.error ?? {};
  return new ApiError(response.status, error.code ?? "", error.message ?? `The server answered ${response.status}.`);
}
