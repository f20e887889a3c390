// The books of a fault run: what clients sent, what agents wrote down, what the log reported as begun
// and not finished, and which fault made whom wait.

const kWrongMax = 40;

/**
 * Reads hearth's log (JSON lines): which connection is whose, and which messages of it, by their
 * number on that connection, had begun when their host ended.
 */
export class Log {
  clients = new Map(); // connection → client's name
  #unassigned = new Map();

  line(text) {
    if (!text.startsWith("{")) return;
    let record;
    try { record = JSON.parse(text); } catch { return; } // user code's own output
    if (record.connection === undefined) return;
    const hello = /^client (\S+)$/.exec(record.message);
    if (hello && record.source === "console") this.clients.set(record.connection, hello[1]);
    const report = /^the handler of WebSocket message (\d+) of \S+ had begun when/.exec(record.message);
    if (report && record.source === "hearth") {
      const numbers = this.#unassigned.get(record.connection) ?? new Set();
      this.#unassigned.set(record.connection, numbers.add(Number(report[1])));
    }
  }

  /** The numbers that were reported for a client. */
  reported(name) {
    const all = new Set();
    for (const [connection, client] of this.clients) {
      if (client === name) for (const number of this.#unassigned.get(connection) ?? []) all.add(number);
    }
    return all;
  }
}

/**
 * clients: {agent, name, sent, texts, acknowledged}; records: agent → [[client, number]…] in the order
 * of handling; reported(name) → Set of the numbers of messages on the client's connection, from 1;
 * counts(text): whether the message is to be handled or reported.
 */
export function compare(clients, records, reported, counts = () => true) {
  const result = { sent: 0, handled: 0, lost: 0, twice: 0, outOfOrder: 0, writesLost: 0, reported: 0, reportedUnwritten: 0 };
  const wrong = []; // the first few, in words
  const note = (what) => { if (wrong.length < kWrongMax) wrong.push(what); };
  for (const client of clients) {
    const numbers = records.get(client.agent).filter(([name]) => name === client.name).map(([, number]) => number);
    const seen = new Set(numbers);
    const begun = reported(client.name);
    result.sent += client.texts.filter(counts).length;
    result.handled += seen.size;
    result.twice += numbers.length - seen.size;
    for (let i = 1; i < numbers.length; i++) {
      if (numbers[i] > numbers[i - 1]) continue;
      if (numbers[i] < numbers[i - 1]) result.outOfOrder++;
      note(`${client.name} of ${client.agent}: ${numbers[i]} was handled after ${numbers[i - 1]}`);
    }
    for (const number of client.acknowledged) {
      if (number === "hello" || seen.has(number)) continue;
      result.writesLost++;
      note(`${client.name} of ${client.agent}: ${number} was acknowledged and is not written down`);
    }
    client.texts.forEach((text, at) => {
      if (!counts(text)) return;
      const handled = text === "hello" ? client.acknowledged.has(text) : seen.has(Number(text));
      if (text === "hello" && handled) result.handled++;
      if (begun.has(at + 1)) {
        result.reported++;
        if (!handled) result.reportedUnwritten++;
      } else if (!handled) {
        result.lost++;
        note(`${client.name} of ${client.agent}: message ${at + 1}, "${text}", was neither handled nor reported`);
      }
    });
  }
  return { ...result, wrong };
}

/**
 * The longest gap for each kind of fault, {kind: {ms, from, to}}. A gap during which faults of one kind
 * only were at work is that kind's; with several it counts under "several at once", with none under
 * "none". faults: [{kind, from, to}], clients: [{gaps: [{from, to}]}], all in milliseconds of one clock.
 */
export function longestGaps(faults, clients) {
  const longest = {};
  for (const { gaps } of clients) {
    for (const gap of gaps) {
      const kinds = new Set(faults.filter(({ from, to }) => from <= gap.to && to >= gap.from).map(({ kind }) => kind));
      const kind = kinds.size === 0 ? "none" : kinds.size === 1 ? [...kinds][0] : "several at once";
      const ms = Math.round(gap.to - gap.from);
      if (ms > (longest[kind]?.ms ?? 0)) longest[kind] = { ms, ...gap };
    }
  }
  return longest;
}
