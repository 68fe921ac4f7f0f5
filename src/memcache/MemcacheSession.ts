/**
 * The rules of a connection: requests in, replies out. Pure: bytes and time come in, replies go to an output.
 *
 * One session a connection, one engine for all of them.
 */
import type { Decoder } from "../framing/Decoder.ts"
import { MemcacheDump } from "./MemcacheDump.ts"
import type { MemcacheEngine } from "./MemcacheEngine.ts"
import { meta } from "./MemcacheMeta.ts"
import type { MemcacheOutput } from "./MemcacheOutput.ts"
import { stats, version } from "./MemcacheStats.ts"
import type { Request, Store } from "./MemcacheRequestLine.ts"

type Get = Extract<Request, { readonly _tag: "Get" }>

/** What is to be done when `run` returns: wait for input, send what is there and go on, or send it and close. */
export type Next = "Input" | "Send" | "Close"

/** So much output is sent before more is made: a client that asks for much and reads nothing costs this. */
const outputBytesMax = 262_144

export class MemcacheSession {
  private readonly engine: MemcacheEngine
  private readonly output: MemcacheOutput
  /** A `get` of many keys, in the middle of it. */
  private getting: Get | undefined = undefined
  private place = 0
  /** A list of all items, in the middle of it. */
  private dump: MemcacheDump | undefined = undefined
  /** How many requests were taken. */
  answered = 0

  constructor(engine: MemcacheEngine, output: MemcacheOutput) {
    this.engine = engine
    this.output = output
  }

  /** Answers as many of the requests that are whole as there is room for. */
  run(decoder: Pick<Decoder<Request>, "failure" | "next">, now: number): Next {
    const { output } = this
    for (;;) {
      if (this.getting !== undefined && !this.get(this.getting, now)) return "Send"
      if (this.dump?.write(output, outputBytesMax, now) === false) return "Send"
      this.dump = undefined
      if (output.bytes >= outputBytesMax) return "Send"
      const request = decoder.next()
      if (request === undefined) {
        if (decoder.failure === undefined) return "Input"
        if (decoder.failure.reason._tag === "FrameTooLong") output.text("CLIENT_ERROR line too long\r\n")
        return "Close"
      }
      this.answered++
      if (!this.answer(request, now)) return "Close"
    }
  }

  /** `false`: the connection ends. */
  private answer(request: Request, now: number): boolean {
    const { counters, store } = this.engine
    switch (request._tag) {
      case "Get":
        this.getting = request
        this.place = 0
        return true
      case "Store":
        this.keep(request, now)
        return true
      case "Delete": {
        const item = store.get(request.key, now)
        if (item === undefined) counters.delete_misses++
        else {
          counters.delete_hits++
          store.remove(request.key)
        }
        this.say(item === undefined ? "NOT_FOUND" : "DELETED", request.noreply)
        return true
      }
      case "Count":
        this.count(request, now)
        return true
      case "Touch": {
        const item = store.get(request.key, now)
        counters.cmd_touch++
        if (item === undefined) counters.touch_misses++
        else {
          counters.touch_hits++
          item.expiresAt = this.engine.expiry(request.time, now)
          item.wasFetched = true
          item.accessedAt = now
        }
        this.say(item === undefined ? "NOT_FOUND" : "TOUCHED", request.noreply)
        return true
      }
      case "Meta":
        meta(request, this.engine, this.output, now)
        return true
      case "FlushAll":
        counters.cmd_flush++
        // A delay of more than 30 days is a date.
        store.flush(request.delay === 0 ? now : this.engine.expiry(request.delay, now), now)
        this.say("OK", request.noreply)
        return true
      case "Stats":
        this.output.text(stats(request.about, this.engine, now))
        return true
      case "Dump":
        this.dump = new MemcacheDump(request.form, request.countMax, store)
        return true
      case "Version":
        this.output.text(`VERSION ${version}\r\n`)
        return true
      case "Verbosity":
        // Taken, and of no effect: what is logged is the application's to say.
        this.say("OK", request.noreply)
        return true
      case "Quit":
        return false
      case "Invalid":
        if (request.drops !== undefined) store.remove(request.drops)
        this.say(request.reply, request.reply === "")
        return !request.isFatal
    }
  }

  /** `false` when there is no room for the rest. */
  private get({ keys, time, withCas }: Get, now: number): boolean {
    const { engine, output } = this
    const { counters, store } = engine
    while (this.place < keys.length) {
      if (output.bytes >= outputBytesMax) return false
      const item = store.get(keys[this.place++]!, now)
      // As memcached counts: either, not both.
      if (time === undefined) {
        counters.cmd_get++
        if (item === undefined) counters.get_misses++
        else counters.get_hits++
      } else {
        counters.cmd_touch++
        if (item === undefined) counters.touch_misses++
        else {
          counters.touch_hits++
          item.expiresAt = engine.expiry(time, now)
        }
      }
      if (item === undefined) continue
      item.wasFetched = true
      item.accessedAt = now
      const head = `VALUE ${item.key} ${item.flags} ${item.value.length}`
      output.text(withCas ? `${head} ${item.cas}\r\n` : `${head}\r\n`)
      output.value(item.value)
      output.text("\r\n")
    }
    output.text("END\r\n")
    this.getting = undefined
    return true
  }

  private keep(request: Store, now: number): void {
    const { engine } = this
    const { counters } = engine
    counters.cmd_set++
    const stored = engine.keep(request, engine.expiry(request.time, now), now)
    this.say(stored === "TOO_LARGE" ? "SERVER_ERROR object too large for cache" : stored, request.noreply)
  }

  private count(request: Extract<Request, { readonly _tag: "Count" }>, now: number): void {
    const { counters, store } = this.engine
    const { delta, isDown, key, noreply } = request
    const item = store.get(key, now)
    if (item === undefined) {
      if (isDown) counters.decr_misses++
      else counters.incr_misses++
      return this.say("NOT_FOUND", noreply)
    }
    const after = this.engine.count(item, delta, isDown, now)
    if (after === "NON_NUMERIC") {
      return this.say("CLIENT_ERROR cannot increment or decrement non-numeric value", noreply)
    }
    this.say(after === "TOO_LARGE" ? "SERVER_ERROR out of memory in incr" : String(after), noreply)
  }

  private say(line: string, noreply: boolean): void {
    if (!noreply) this.output.text(`${line}\r\n`)
  }
}
