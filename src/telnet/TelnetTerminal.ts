/**
 * A terminal at the other end of a telnet connection: each key comes at once and is shown by us (`ECHO`, `SUPPRESS-GO-AHEAD`), its size and kind
 * are asked for. A peer that refuses that, or knows no telnet at all, sends whole lines; so does one that is asked to (`lineMode`).
 */
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { visible } from "../result/VisibleText.ts"
import * as Terminal from "../terminal/Terminal.ts"
import { press } from "../terminal/TerminalKeysWire.ts"
import type { Failure, Input, Telnet } from "./Telnet.ts"
import * as TelnetDetails from "./TelnetDetailsWire.ts"
import { NotTelnet, TelnetError } from "./TelnetError.ts"
import * as LineMode from "./TelnetLineModeSession.ts"
import { code, option } from "./TelnetWire.ts"

export interface TelnetTerminal extends Terminal.Terminal<Failure> {
  readonly telnet: Telnet
  /** As the peer tells it; `undefined` while it has not. `size` has something in any case. */
  readonly window: () => TelnetDetails.Window | undefined
  /** What the peer calls its terminal, what cannot be seen written out. */
  readonly terminalType: () => string | undefined
  /** All that it has called it; asked for until one is accepted (RFC 1091). */
  readonly terminalTypes: () => ReadonlyArray<string>
}

export interface Options extends Terminal.Options {
  /** Whether a peer that knows line mode (RFC 1184) edits its lines itself: fewer packets, no completion. Default `false`. */
  readonly lineMode?: boolean | undefined
  /** Whether a kind of terminal will do; else the peer is asked for another one. Default: all but `unknown` and `dumb`. */
  readonly acceptsTerminal?: ((terminalType: string) => boolean) | undefined
}

/** What we do when the peer asks. */
export const localOptions: ReadonlyArray<number> = [
  option.binary,
  option.echo,
  option.suppressGoAhead,
  option.charset
]
/** What the peer may do. Line mode is among it only where it was asked for. */
export const remoteOptions = (isLineMode = false): ReadonlyArray<number> => [
  option.binary,
  option.suppressGoAhead,
  option.terminalType,
  option.windowSize,
  option.charset,
  ...(isLineMode ? [option.lineMode] : [])
]

const sizeDefault = { columns: 80, rows: 24 }
/** A peer that has more names than that has none. */
const terminalTypesMax = 16

const isGood = (terminalType: string): boolean => !/^(?:unknown|dumb)$/i.test(terminalType)

/** Asks the peer for all this, and does not wait for its answers. */
export const make = Effect.fnUntraced(function* (
  telnet: Telnet,
  options: Options = {}
): Effect.fn.Return<TelnetTerminal, Failure> {
  const { acceptsTerminal = isGood, lineMode = false } = options
  let window: TelnetDetails.Window | undefined
  const terminalTypes: Array<string> = []
  let lines = LineMode.initial

  const askForKeys = telnet.want("Local", option.echo, true)
  yield* lineMode ? telnet.want("Remote", option.lineMode, true) : askForKeys
  yield* telnet.want("Local", option.suppressGoAhead, true)
  yield* telnet.want("Remote", option.suppressGoAhead, true)
  yield* telnet.want("Remote", option.windowSize, true)
  yield* telnet.want("Remote", option.terminalType, true)

  const isLineMode = () => telnet.isOn("Remote", option.lineMode) && LineMode.isEdited(lines)
  const askForType = telnet.subnegotiate(option.terminalType, TelnetDetails.sendTerminalType)

  const command = (said: number): Effect.Effect<Terminal.Input | undefined, Failure> => {
    switch (said) {
      case code.areYouThere:
        return Effect.as(isInteractive() ? terminal.print("[Yes]") : telnet.send("\n[Yes]\n"), undefined)
      case code.abortOutput:
        // What goes out from here on is not what was aborted.
        return Effect.as(telnet.command(code.dataMark), { _tag: "Discard" } as const)
      default:
        return Effect.succeed(keysOfCommands.get(said))
    }
  }

  const details = (about: number, bytes: Uint8Array): Effect.Effect<Terminal.Input | undefined, Failure> => {
    const answer = (with_: Uint8Array | undefined) =>
      with_ === undefined ? Effect.void : telnet.subnegotiate(about, with_)
    if (!telnet.isOn("Remote", about) && !telnet.isOn("Local", about)) return Effect.succeed(undefined)
    switch (about) {
      case option.windowSize:
        window = TelnetDetails.parseWindow(bytes) ?? window
        return Effect.succeed(changed)
      case option.terminalType: {
        const said = TelnetDetails.parseTerminalType(bytes)
        if (typeof said !== "string") return Effect.succeed(undefined)
        const name = visible(said)
        // The last one said twice: there are no more.
        const isLast = name === terminalTypes.at(-1) || terminalTypes.length >= terminalTypesMax
        if (!isLast) terminalTypes.push(name)
        return Effect.as(isLast || acceptsTerminal(name) ? Effect.void : askForType, changed)
      }
      case option.lineMode: {
        const [next, said] = LineMode.step(lines, bytes)
        lines = next
        return Effect.as(answer(said), changed)
      }
      case option.charset:
        return Effect.as(answer(TelnetDetails.answerCharset(bytes)), undefined)
      default:
        return Effect.succeed(undefined)
    }
  }

  /** What follows of an option that is on now, or refused. */
  const followUp = (input: Extract<Input, { readonly _tag: "Changed" | "Refused" }>) => {
    const isOn = input._tag === "Changed" && input.on
    if (input.option === option.lineMode && input.side === "Remote") {
      lines = LineMode.initial
      if (isOn) return telnet.subnegotiate(option.lineMode, LineMode.begin)
      return lineMode ? askForKeys : Effect.void
    }
    if (!isOn) return Effect.void
    if (input.option === option.terminalType && input.side === "Remote") return askForType
    if (input.option === option.charset && input.side === "Local")
      return telnet.subnegotiate(option.charset, TelnetDetails.requestUtf8)
    return Effect.void
  }

  /** What it is to a terminal; `undefined` for what was dealt with. */
  const translate = (input: Input): Effect.Effect<Terminal.Input | undefined, Failure> => {
    switch (input._tag) {
      case "Data":
        return Effect.succeed({ _tag: "Bytes", bytes: input.bytes })
      case "Command":
        return command(input.command)
      case "Subnegotiation":
        return details(input.option, input.bytes)
      case "Changed":
      case "Refused":
        return Effect.as(followUp(input), changed)
    }
  }

  const receive: Pull.Pull<Terminal.Input, Failure> = Effect.suspend(() =>
    Effect.flatMap(telnet.receive, (input) =>
      Effect.flatMap(translate(input), (found) => (found === undefined ? receive : Effect.succeed(found)))
    )
  )

  const isInteractive = () =>
    !isLineMode() && telnet.isOn("Local", option.echo) && telnet.isOn("Local", option.suppressGoAhead)

  const terminal: Terminal.Terminal<Failure> = Terminal.make<Failure>(
    {
      receive,
      // Over telnet, a new line is one character, but for binary, where everything is what it is.
      send: (text) => telnet.send(telnet.isOn("Local", option.binary) ? text : text.replaceAll("\r\n", "\n")),
      size: () => ({
        columns: window?.columns || sizeDefault.columns,
        rows: window?.rows || sizeDefault.rows
      }),
      isInteractive,
      kind: () => terminalTypes.at(-1),
      // Who edits its own lines shows none of them while we say that we do.
      hide: (isHidden) => (isLineMode() ? telnet.want("Local", option.echo, isHidden) : Effect.void)
    },
    options
  )
  let isFirst = true
  /** A request of a browser is no line of a user; nor is what it has behind it, which whoever wrote the page has chosen. */
  const checked = (read: Terminal.Read): Effect.Effect<Terminal.Read, Failure> => {
    const isRequest =
      read._tag === "Line" ? request.test(read.line) : read._tag === "Interrupt" && read.isTooLong === true
    const isMeant = !isFirst || isInteractive() || !isRequest
    isFirst = false
    return isMeant ? Effect.succeed(read) : Effect.fail(new TelnetError({ reason: new NotTelnet() }))
  }

  return {
    ...terminal,
    readLine: (asked) => Effect.flatMap(terminal.readLine(asked), checked),
    telnet,
    window: () => window,
    terminalType: () => terminalTypes.at(-1),
    terminalTypes: () => [...terminalTypes]
  }
})

const request = /^[A-Z]+ \S+ HTTP\/[0-9.]+$/
const changed: Terminal.Input = { _tag: "Changed" }
const interrupt: Terminal.Input = { _tag: "Key", key: press("c", { ctrl: true }) }

/** RFC 854, RFC 1184: what a user can say without typing it. */
const keysOfCommands: ReadonlyMap<number, Terminal.Input> = new Map([
  [code.interruptProcess, interrupt],
  [code.break, interrupt],
  [code.abort, interrupt],
  [code.eraseCharacter, { _tag: "Key", key: press("backspace") }],
  [code.eraseLine, { _tag: "Key", key: press("u", { ctrl: true }) }],
  [code.endOfFile, { _tag: "Key", key: press("d", { ctrl: true }) }]
] as const)
