// What a run was doing, moment by moment: the beginnings and ends of its faults, and what the server's
// log says of itself. Kept so that a long gap can be told with what happened in it.

const kEntriesMax = 100_000;
/** So much before a gap is told too: what it began with. */
const kBeforeMs = 600;
const kLinesMax = 30;
/** Of the log: each message that had begun, and what says nothing of why anyone waits. */
const kOrdinary = /^(the handler of|ready on|serving version)/;

/** Where it ran is of no interest. */
const kFolders = /(?:\/[^\s/]+)+\//g;

const seconds = (ms) => `${ms < 0 ? "−" : "+"}${(Math.abs(ms) / 1_000).toFixed(1)} s`;

export class Journal {
  #entries = []; // {at, text}, in order

  add(text) {
    if (this.#entries.length < kEntriesMax) this.#entries.push({ at: performance.now(), text });
  }

  /** A line of hearth's log, in JSON. */
  line(text) {
    if (!text.startsWith("{")) return;
    let record;
    try { record = JSON.parse(text); } catch { return; }
    if (record.source === "hearth" && !kOrdinary.test(record.message)) this.add(`log: ${record.message.split("\n")[0].replaceAll(kFolders, "")}`);
  }

  /** What happened in a gap {from, to}, as lines that begin with their time from the gap's beginning. */
  story({ from, to }) {
    const found = this.#entries.filter(({ at }) => at >= from - kBeforeMs && at <= to);
    const lines = found.map(({ at, text }) => `${seconds(at - from)}  ${text}`);
    // How it began, and how it came to its end.
    if (lines.length > kLinesMax) lines.splice(kLinesMax / 2, lines.length - kLinesMax, `… ${lines.length - kLinesMax} more`);
    return lines;
  }
}
