/**
 * Telnet as bytes: data, commands, options and their subnegotiations (RFC 854, RFC 855). Pure.
 *
 * ```
 * data      255 is sent twice; a new line is CR LF, a carriage return CR NUL (except in binary: RFC 856)
 * command   IAC code
 * option    IAC WILL|WONT|DO|DONT option
 * details   IAC SB option bytes IAC SE
 * ```
 */
import { SubnegotiationTooLong, TelnetError, UnknownCommand } from "./TelnetError.ts"

/** RFC 854. */
export const code = {
  endOfFile: 236,
  suspend: 237,
  abort: 238,
  endOfRecord: 239,
  subnegotiationEnd: 240,
  noOperation: 241,
  dataMark: 242,
  break: 243,
  interruptProcess: 244,
  abortOutput: 245,
  areYouThere: 246,
  eraseCharacter: 247,
  eraseLine: 248,
  goAhead: 249,
  subnegotiation: 250,
  will: 251,
  wont: 252,
  do: 253,
  dont: 254,
  iac: 255
} as const

/** Options that are known by name here. */
export const option = {
  /** RFC 856. */
  binary: 0,
  /** RFC 857. */
  echo: 1,
  /** RFC 858: no turns are taken; with `echo`, a character at a time. */
  suppressGoAhead: 3,
  /** RFC 860. */
  timingMark: 6,
  /** RFC 1091. */
  terminalType: 24,
  /** RFC 1073. */
  windowSize: 31,
  /** RFC 1184. */
  lineMode: 34,
  /** RFC 1572: refused, always. */
  newEnviron: 39,
  /** RFC 2066. */
  charset: 42
} as const

export type Verb = "will" | "wont" | "do" | "dont"

export type Event =
  | { readonly _tag: "Data"; readonly bytes: Uint8Array }
  /** Any command without parameters, by its code. */
  | { readonly _tag: "Command"; readonly command: number }
  | { readonly _tag: "Negotiation"; readonly verb: Verb; readonly option: number }
  | { readonly _tag: "Subnegotiation"; readonly option: number; readonly bytes: Uint8Array }

/** The longest subnegotiation, unless told otherwise; most have less than 50 bytes. */
export const subnegotiationBytesMaxDefault = 1_024

const verbs: ReadonlyMap<number, Verb> = new Map([
  [code.will, "will"],
  [code.wont, "wont"],
  [code.do, "do"],
  [code.dont, "dont"]
])

const carriageReturn = 13
const lineFeed = 10

type State = "data" | "return" | "command" | Verb | "subnegotiation" | "subnegotiationCommand"

/**
 * Bytes to events, however they are cut. Data comes as soon as it is there: pieces of it are as the input was cut. New lines are
 * `\n`, carriage returns `\r`, while `isBinary` says nothing else. A decoder that failed stays failed.
 */
export class TelnetDecoder {
  failure: TelnetError | undefined = undefined
  /** Set by who negotiates: data is taken as it comes. */
  isBinary = false
  private state: State = "data"
  private held: Array<number> = []
  private readonly subnegotiationBytesMax: number

  constructor(subnegotiationBytesMax = subnegotiationBytesMaxDefault) {
    this.subnegotiationBytesMax = subnegotiationBytesMax
  }

  /** Bytes of an unfinished subnegotiation. */
  get heldBytes(): number {
    return this.held.length
  }

  /** `onEvent` is called for each event, in order, so that it can change what the bytes behind it mean. */
  push(bytes: Uint8Array, onEvent: (event: Event) => void): void {
    let at = 0
    while (at < bytes.length && this.failure === undefined) {
      if (this.state === "data" || this.state === "return") at = this.data(bytes, at, onEvent)
      else this.control(bytes[at++]!, onEvent)
    }
  }

  /** The end of input: a carriage return that nothing came behind is one. */
  finish(onEvent: (event: Event) => void): void {
    if (this.state === "return" && this.failure === undefined) {
      onEvent({ _tag: "Data", bytes: Uint8Array.of(carriageReturn) })
    }
    this.state = "data"
    this.held = []
  }

  /** Takes data up to the next command or the end. */
  private data(bytes: Uint8Array, from: number, onEvent: (event: Event) => void): number {
    const iac = bytes.indexOf(code.iac, from)
    const to = iac < 0 ? bytes.length : iac
    // Most pieces have nothing to change.
    const plain =
      this.state === "data" && (this.isBinary || !hasReturn(bytes, from, to)) && (to > from || iac >= 0)
    const out = plain ? bytes.subarray(from, to) : this.newLines(bytes, from, to)
    if (iac >= 0 && this.state === "data") this.state = "command"
    else if (iac >= 0) {
      // CR IAC: what comes next cannot belong to the carriage return.
      this.state = "command"
      return this.give(joined(out, carriageReturn), onEvent, to + 1)
    }
    return this.give(out, onEvent, iac < 0 ? to : to + 1)
  }

  private give(out: Uint8Array, onEvent: (event: Event) => void, next: number): number {
    if (out.length > 0) onEvent({ _tag: "Data", bytes: out })
    return next
  }

  private newLines(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const out = new Uint8Array(to - from + 1)
    let size = 0
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!
      if (this.state === "return") {
        this.state = "data"
        if (byte === lineFeed) {
          out[size++] = lineFeed
          continue
        }
        out[size++] = carriageReturn
        if (byte === 0) continue
      }
      if (byte === carriageReturn && !this.isBinary) this.state = "return"
      else out[size++] = byte
    }
    return out.subarray(0, size)
  }

  private control(byte: number, onEvent: (event: Event) => void): void {
    switch (this.state) {
      case "command":
        return this.command(byte, onEvent)
      case "subnegotiation":
        if (byte === code.iac) this.state = "subnegotiationCommand"
        else this.hold(byte)
        return
      case "subnegotiationCommand":
        return this.subnegotiationCommand(byte, onEvent)
      case "data":
      case "return":
        return
      default: {
        const verb = this.state
        this.state = "data"
        return onEvent({ _tag: "Negotiation", verb, option: byte })
      }
    }
  }

  private command(byte: number, onEvent: (event: Event) => void): void {
    this.state = "data"
    if (byte === code.iac) return onEvent({ _tag: "Data", bytes: Uint8Array.of(code.iac) })
    const verb = verbs.get(byte)
    if (verb !== undefined) this.state = verb
    else if (byte === code.subnegotiation) this.state = "subnegotiation"
    // The end of a subnegotiation that was none: of a peer that aborted it.
    else if (byte === code.subnegotiationEnd) return
    else if (byte >= code.endOfFile) return onEvent({ _tag: "Command", command: byte })
    else this.failure = new TelnetError({ reason: new UnknownCommand({ command: byte }) })
  }

  private subnegotiationCommand(byte: number, onEvent: (event: Event) => void): void {
    if (byte === code.iac) {
      this.state = "subnegotiation"
      return this.hold(byte)
    }
    const [option, ...rest] = this.held
    this.held = []
    this.state = "data"
    if (byte === code.subnegotiationEnd) {
      if (option !== undefined) onEvent({ _tag: "Subnegotiation", option, bytes: Uint8Array.from(rest) })
      return
    }
    // Another command in the middle ends it, as if it had not begun.
    this.command(byte, onEvent)
  }

  private hold(byte: number): void {
    // The option itself does not count.
    if (this.held.length <= this.subnegotiationBytesMax) {
      this.held.push(byte)
      return
    }
    const reason = new SubnegotiationTooLong({ option: this.held[0], limit: this.subnegotiationBytesMax })
    this.failure = new TelnetError({ reason })
    this.held = []
  }
}

const hasReturn = (bytes: Uint8Array, from: number, to: number): boolean => {
  const at = bytes.indexOf(carriageReturn, from)
  return at >= 0 && at < to
}

const joined = (bytes: Uint8Array, last: number): Uint8Array => {
  const out = new Uint8Array(bytes.length + 1)
  out.set(bytes)
  out[bytes.length] = last
  return out
}

// --- what is sent ---------------------------------------------------------------------------------------

/** Data as it goes out: 255 twice; `\n` as CR LF and `\r` as CR NUL, unless it is binary. */
export const escape = (data: Uint8Array | string, isBinary = false): Uint8Array => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
  let more = 0
  for (const byte of bytes) if (isEscaped(byte, isBinary)) more++
  if (more === 0) return bytes
  const out = new Uint8Array(bytes.length + more)
  let at = 0
  for (const byte of bytes) {
    if (!isEscaped(byte, isBinary)) out[at++] = byte
    else if (byte === code.iac) at = put(out, at, code.iac, code.iac)
    else at = put(out, at, carriageReturn, byte === lineFeed ? lineFeed : 0)
  }
  return out
}

const isEscaped = (byte: number, isBinary: boolean): boolean =>
  byte === code.iac || (!isBinary && (byte === lineFeed || byte === carriageReturn))

const put = (out: Uint8Array, at: number, one: number, other: number): number => {
  out[at] = one
  out[at + 1] = other
  return at + 2
}

export const negotiation = (verb: Verb, option: number): Uint8Array =>
  Uint8Array.of(code.iac, code[verb], option)

export const command = (code_: number): Uint8Array => Uint8Array.of(code.iac, code_)

export const subnegotiation = (option: number, bytes: Uint8Array): Uint8Array => {
  const body = escape(Uint8Array.of(option, ...bytes), true)
  const out = new Uint8Array(body.length + 4)
  out.set([code.iac, code.subnegotiation])
  out.set(body, 2)
  out.set([code.iac, code.subnegotiationEnd], body.length + 2)
  return out
}
