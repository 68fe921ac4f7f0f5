/**
 * A terminal at the other end of a telnet connection: each key comes at once and is shown by us (`ECHO`, `SUPPRESS-GO-AHEAD`), its size and kind
 * are asked for. A peer that refuses that, or knows no telnet at all, sends whole lines.
 */
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import { visible } from "../result/VisibleText.ts"
import * as Terminal from "../terminal/Terminal.ts"
import { press } from "../terminal/TerminalKeysWire.ts"
import type { Failure, Input, Telnet } from "./Telnet.ts"
import * as TelnetDetails from "./TelnetDetailsWire.ts"
import { code, option } from "./TelnetWire.ts"

export interface TelnetTerminal extends Terminal.Terminal<Failure> {
  readonly telnet: Telnet
  /** As the peer tells it; `undefined` while it has not. */
  readonly window: () => TelnetDetails.Window | undefined
  /** What the peer calls its terminal, what cannot be seen written out. */
  readonly terminalType: () => string | undefined
}

/** What we do when the peer asks. */
export const localOptions: ReadonlyArray<number> = [option.binary, option.echo, option.suppressGoAhead]
/** What the peer may do. Line mode (RFC 1184) is refused: a peer that knows it knows to send each key, too. */
export const remoteOptions: ReadonlyArray<number> = [
  option.binary,
  option.suppressGoAhead,
  option.terminalType,
  option.windowSize
]

const columnsDefault = 80

/** Asks the peer for all this, and does not wait for its answers. */
export const make = Effect.fnUntraced(function* (
  telnet: Telnet,
  options?: Terminal.Options
): Effect.fn.Return<TelnetTerminal, Failure> {
  let window: TelnetDetails.Window | undefined
  let terminalType: string | undefined

  yield* telnet.want("Local", option.echo, true)
  yield* telnet.want("Local", option.suppressGoAhead, true)
  yield* telnet.want("Remote", option.suppressGoAhead, true)
  yield* telnet.want("Remote", option.windowSize, true)
  yield* telnet.want("Remote", option.terminalType, true)

  /** What it is to a terminal; `undefined` for what was dealt with. */
  const translate = (input: Input): Effect.Effect<Terminal.Input | undefined, Failure> => {
    switch (input._tag) {
      case "Data":
        return Effect.succeed({ _tag: "Bytes", bytes: input.bytes })
      case "Command":
        if (input.command === code.areYouThere) return Effect.as(telnet.send("\n[Yes]\n"), undefined)
        return Effect.succeed(keysOfCommands.get(input.command))
      case "Subnegotiation":
        if (input.option === option.windowSize) {
          window = TelnetDetails.parseWindow(input.bytes) ?? window
          return Effect.succeed(changed)
        }
        if (input.option === option.terminalType && telnet.isOn("Remote", option.terminalType)) {
          const name = TelnetDetails.parseTerminalType(input.bytes)
          if (typeof name === "string") terminalType = visible(name)
        }
        return Effect.succeed(undefined)
      case "Changed":
        return input.side === "Remote" && input.option === option.terminalType && input.on
          ? Effect.as(telnet.subnegotiate(option.terminalType, TelnetDetails.sendTerminalType), changed)
          : Effect.succeed(changed)
      case "Refused":
        return Effect.succeed(changed)
    }
  }

  const receive: Pull.Pull<Terminal.Input, Failure> = Effect.suspend(() =>
    Effect.flatMap(telnet.receive, (input) =>
      Effect.flatMap(translate(input), (found) => (found === undefined ? receive : Effect.succeed(found)))
    )
  )

  const terminal = Terminal.make<Failure>(
    {
      receive,
      // Over telnet, a new line is one character.
      send: (text) => telnet.send(text.replaceAll("\r\n", "\n")),
      columns: () => (window === undefined || window.columns === 0 ? columnsDefault : window.columns),
      isInteractive: () => telnet.isOn("Local", option.echo) && telnet.isOn("Local", option.suppressGoAhead)
    },
    options
  )
  return { ...terminal, telnet, window: () => window, terminalType: () => terminalType }
})

const changed: Terminal.Input = { _tag: "Changed" }

/** RFC 854: what a user can say without typing it. */
const keysOfCommands: ReadonlyMap<number, Terminal.Input> = new Map([
  [code.interruptProcess, { _tag: "Key", key: press("c", { ctrl: true }) }],
  [code.break, { _tag: "Key", key: press("c", { ctrl: true }) }],
  [code.eraseCharacter, { _tag: "Key", key: press("backspace") }],
  [code.eraseLine, { _tag: "Key", key: press("u", { ctrl: true }) }],
  [code.endOfFile, { _tag: "Key", key: press("d", { ctrl: true }) }]
] as const)
