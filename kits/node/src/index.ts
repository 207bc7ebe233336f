/**
 * For an app in Node that takes part: events, counts and health.
 *
 *     const log = createLogger();
 *     const counts = new Counts(redis);
 *
 *     context({ conversation_id: "c_1", user: "u_7" }, () => {
 *       event(log, "order_placed", { total: 12 }, "Order placed");
 *       counts.counter("orders");
 *     });
 *
 * Nothing here throws into the app, or waits for a server.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { pino, type DestinationStream, type Level, type Logger, type LoggerOptions } from "pino";

// --- events ----------------------------------------------------------------------

export type Fields = Record<string, unknown>;

const storage = new AsyncLocalStorage<Fields>();

/** pino with the context in each line. `options` are pino's own. */
export function createLogger(options: LoggerOptions = {}, stream?: DestinationStream): Logger {
  const { mixin, ...rest } = options;
  const all: LoggerOptions = {
    base: undefined, // the journal knows the process and the host
    ...rest,
    mixin: (object, level, logger) => ({
      ...storage.getStore(),
      ...mixin?.(object, level, logger),
    }),
  };
  return stream === undefined ? pino(all) : pino(all, stream);
}

/**
 * Every line of `run`, and of what it awaits, has `fields`. Use `conversation_id`,
 * `user` (an opaque id) and `trace_id` for what dashboards and `soloscope why` join
 * lines by; `job` for a background job.
 */
export function context<T>(fields: Fields, run: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, run);
}

/** Log that `name` happened. An exception belongs into the field `err`. */
export function event(
  log: Logger,
  name: string,
  fields: Fields = {},
  message = name,
  level: Level = "info",
): void {
  try {
    log[level]({ event: name, ...fields }, message);
  } catch {
    // A getter or a serializer of the fields threw.
    log[level]({ event: name }, message);
  }
}

// --- counts ----------------------------------------------------------------------

type Command = [verb: string, ...rest: (string | number)[]];

/** What is used of the app's own client: that of `ioredis` or of `redis`. */
export interface RedisClient {
  multi(commands?: never): unknown;
}

export interface CountsOptions {
  /** `apps.<name>.redis.prefix`. */
  prefix?: string;
  /** `apps.<name>.timeZone`, an IANA name. */
  timeZone?: string;
  /** Called when counts were lost, at most once a minute. */
  onLost?: (lost: number, why: string) => void;
}

/** Seconds after its last change at which a day's key is removed. */
const EXPIRY = 30 * 86_400;
/** Counts that wait at most; further ones are lost. */
const MOST = 10_000;
/** Counts of one transaction. */
const AT_ONCE = 500;
/** Milliseconds that Redis may take for one transaction. */
const PATIENCE = 1_000;
/** Milliseconds between two calls of `onLost`. */
const PAUSE = 60_000;

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

interface Count {
  key: string;
  expires: boolean;
  commands: Command[];
}

/**
 * Counts what an app declares: `INCR metrics:2026-11-18:orders` with an expiry.
 *
 * A call puts a count into a queue and returns. What is there is sent in one
 * transaction, so a key and its expiry are set together. A count that could not be
 * sent, or perhaps was, is not sent again: it would be counted twice. `lost` says how
 * many there are.
 */
export class Counts {
  lost = 0;
  private readonly queue: Count[] = [];
  private readonly prefix: string;
  private readonly day: Intl.DateTimeFormat;
  private readonly onLost: ((lost: number, why: string) => void) | undefined;
  private sending: Promise<void> | undefined;
  private complained = -Infinity;
  private unsaid = 0;

  constructor(
    private readonly redis: RedisClient,
    options: CountsOptions = {},
  ) {
    this.prefix = options.prefix ?? "metrics:";
    this.onLost = options.onLost;
    // 2026-11-18: the Swedish way of writing a date is ISO 8601.
    this.day = new Intl.DateTimeFormat("sv-SE", { timeZone: options.timeZone ?? "UTC" });
  }

  /** Add to a counter of today. */
  counter(name: string, by = 1): void {
    this.count(name, ["INCRBY", by]);
  }

  /** Add to one key of a breakdown of today. */
  breakdown(name: string, key: string, by = 1): void {
    this.count(name, ["HINCRBY", String(key), by]);
  }

  /** Count a member once today; `exact` as declared. */
  unique(name: string, member: string | number, exact = false): void {
    this.count(name, [exact ? "SADD" : "PFADD", String(member)]);
  }

  /** Add a call, and the milliseconds it took, to a timing of today. */
  timing(name: string, ms: number): void {
    const whole = Math.round(Math.max(0, ms));
    this.count(name, ["HINCRBY", "count", 1], ["HINCRBY", "ms", whole]);
  }

  /** Run `work` as a call of a timing, also when it fails. */
  async timed<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.timing(name, performance.now() - began);
    }
  }

  /** Set a value of now. */
  gauge(name: string, value: number): void {
    if (this.isName(name)) {
      this.put({ key: `${this.prefix}now`, expires: false, commands: [["HSET", name, value]] });
    }
  }

  /** Wait until everything is sent or lost. Before the process ends. */
  async flush(): Promise<void> {
    while (this.sending !== undefined) await this.sending;
  }

  private isName(name: string): boolean {
    if (NAME.test(name)) return true;
    this.lose(1, `${JSON.stringify(name)} is no name of letters, digits and underscores`);
    return false;
  }

  private count(name: string, ...commands: Command[]): void {
    if (!this.isName(name)) return;
    const key = `${this.prefix}${this.day.format(new Date())}:${name}`;
    this.put({ key, expires: true, commands });
  }

  private put(count: Count): void {
    if (this.queue.length >= MOST) {
      this.lose(1, `${MOST} counts wait already`);
      return;
    }
    this.queue.push(count);
    this.sending ??= this.send();
  }

  private async send(): Promise<void> {
    // What is counted in the same turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.queue.length > 0) {
      const counts = this.queue.splice(0, AT_ONCE);
      try {
        const refused = await this.transact(counts);
        if (refused.length > 0) this.lose(refused.length, String(refused[0]));
      } catch (error) {
        this.lose(counts.length, String(error));
      }
    }
    this.sending = undefined;
  }

  /** Send counts with the expiry of their keys; what Redis refused. */
  private async transact(counts: Count[]): Promise<unknown[]> {
    const commands: Command[] = [];
    const firsts: number[] = [];
    for (const count of counts) {
      firsts.push(commands.length);
      for (const [verb, ...rest] of count.commands) commands.push([verb, count.key, ...rest]);
    }
    const keys = new Set(counts.filter((count) => count.expires).map((count) => count.key));
    for (const key of keys) commands.push(["EXPIRE", key, EXPIRY]);
    const replies = await within(PATIENCE, run(this.redis, commands));
    return firsts.map((index) => replies[index]).filter((reply) => reply instanceof Error);
  }

  private lose(number: number, why: string): void {
    this.lost += number;
    this.unsaid += number;
    if (performance.now() - this.complained < PAUSE) return;
    this.complained = performance.now();
    const unsaid = this.unsaid;
    this.unsaid = 0;
    try {
      this.onLost?.(unsaid, why);
    } catch {
      // It must not end the app.
    }
  }
}

/** Run commands in one transaction; a refused one has its error as reply. */
async function run(redis: RedisClient, commands: Command[]): Promise<unknown[]> {
  const multi: any = redis.multi();
  if (typeof multi.addCommand === "function") {
    // node-redis: it rejects when one is refused, with all replies in the error.
    for (const command of commands) multi.addCommand(command.map(String));
    try {
      return await multi.exec();
    } catch (error: any) {
      if (Array.isArray(error?.replies)) return error.replies;
      throw error;
    }
  }
  // ioredis: a pair of error and reply for each.
  for (const [verb, ...rest] of commands) multi.call(verb, ...rest);
  const pairs: [Error | null, unknown][] = await multi.exec();
  return pairs.map(([error, reply]) => error ?? reply);
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

// --- health ----------------------------------------------------------------------

export interface Health {
  status: 200 | 503;
  body: Record<string, string>;
}

/** 200 when no check throws or gives `false` within `ms`, else 503, with what each says. */
export async function health(
  checks: Record<string, () => unknown>,
  ms = 2_000,
): Promise<Health> {
  const said = await Promise.all(
    Object.entries(checks).map(async ([name, check]): Promise<[string, string]> => {
      try {
        const found = await within(ms, Promise.resolve().then(check));
        return [name, found === false ? "failed" : "ok"];
      } catch (error) {
        // Not its message, which could have a password.
        const late = error instanceof Error && error.message.startsWith("no answer within");
        return [name, late ? error.message : error instanceof Error ? error.name : "failed"];
      }
    }),
  );
  const well = said.every(([, one]) => one === "ok");
  return { status: well ? 200 : 503, body: Object.fromEntries(said) };
}
