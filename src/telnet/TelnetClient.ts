/** A telnet client: tells its terminal and window when it is asked, and lets the server show what is typed. Twisted: `conch.telnet.Telnet`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Pull from "effect/Pull"
import * as Client from "../protocol/Client.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ConnectError, TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { visible } from "../result/VisibleText.ts"
import * as Telnet from "./Telnet.ts"
import * as TelnetDetails from "./TelnetDetailsWire.ts"
import { code, option } from "./TelnetWire.ts"

export interface Options extends Pick<Telnet.Options, "subnegotiationBytesMax" | "controlsPerSecondMax"> {
  /** What we call our terminal; several names, the best first, are told one by one. Default `UNKNOWN`, as RFC 1091 has it. */
  readonly terminalType?: string | ReadonlyArray<string> | undefined
  /** Default 80 x 24. */
  readonly window?: TelnetDetails.Window | undefined
}

export class TelnetClient extends Context.Service<
  TelnetClient,
  {
    readonly telnet: Telnet.Telnet
    /** What the server says, and what it negotiates besides what is dealt with here. */
    readonly receive: Telnet.Telnet["receive"]
    /** What the server says, as text that cannot control a terminal: what cannot be seen is written out, new lines and tabs pass. */
    readonly receiveText: Pull.Pull<string, Telnet.Failure>
    readonly send: Telnet.Telnet["send"]
    /** What runs there is to stop: IP and the data mark of a Synch (RFC 854), but not as urgent data, which Node does not send. */
    readonly interrupt: Effect.Effect<void, TransportError>
    /** The window has another size. */
    readonly resize: (window: TelnetDetails.Window) => Effect.Effect<void, TransportError>
  }
>()("spindle/telnet/TelnetClient") {}

const local = [option.binary, option.suppressGoAhead, option.terminalType, option.windowSize, option.charset]
const remote = [option.binary, option.echo, option.suppressGoAhead, option.charset]

/** Over a connection that there is. */
export const make = (transport: Transport, options: Options = {}): TelnetClient["Service"] => {
  const { controlsPerSecondMax, subnegotiationBytesMax, terminalType = "UNKNOWN" } = options
  const terminalTypes = [terminalType].flat()
  /** Names that were told since the first one. */
  let told = 0
  let window = options.window ?? { columns: 80, rows: 24 }
  const telnet = Telnet.make(transport, { local, remote, controlsPerSecondMax, subnegotiationBytesMax })
  const tellWindow = Effect.suspend(() =>
    telnet.isOn("Local", option.windowSize)
      ? telnet.subnegotiate(option.windowSize, TelnetDetails.formatWindow(window))
      : Effect.void
  )

  const answer = (input: Telnet.Input): Effect.Effect<void, TransportError> => {
    if (input._tag === "Changed" && input.side === "Local" && input.option === option.windowSize)
      return tellWindow
    if (
      input._tag === "Subnegotiation" &&
      input.option === option.terminalType &&
      telnet.isOn("Local", option.terminalType) &&
      TelnetDetails.parseTerminalType(input.bytes) === true
    ) {
      // The last one twice says that there are no more; then they begin anew.
      const name = terminalTypes[Math.min(told, terminalTypes.length - 1)] ?? "UNKNOWN"
      told = told >= terminalTypes.length ? 0 : told + 1
      return telnet.subnegotiate(option.terminalType, TelnetDetails.formatTerminalType(name))
    }
    if (input._tag === "Subnegotiation" && input.option === option.charset && hasCharset()) {
      const said = TelnetDetails.answerCharset(input.bytes)
      return said === undefined ? Effect.void : telnet.subnegotiate(option.charset, said)
    }
    return Effect.void
  }
  const hasCharset = () => telnet.isOn("Local", option.charset) || telnet.isOn("Remote", option.charset)

  const receive = Effect.tap(telnet.receive, answer)
  const utf8 = new TextDecoder()
  const receiveText: Pull.Pull<string, Telnet.Failure> = Effect.suspend(() =>
    Effect.flatMap(receive, (input) => {
      const text = input._tag === "Data" ? shown(utf8.decode(input.bytes, { stream: true })) : ""
      return text === "" ? receiveText : Effect.succeed(text)
    })
  )
  return {
    telnet,
    receive,
    receiveText,
    send: telnet.send,
    interrupt: Effect.andThen(telnet.command(code.interruptProcess), telnet.command(code.dataMark)),
    resize: (size) =>
      Effect.suspend(() => {
        window = size
        return tellWindow
      })
  }
}

/** A carriage return alone goes where nothing is seen of what stood there: it is written out. */
const shown = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map(visible).join("\t"))
    .join("\n")

/** A client of an endpoint, connected as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Client,
  options?: Options
): Layer.Layer<TelnetClient, ConnectError, Reactor> =>
  Client.layer(TelnetClient, endpoint, (transport) => Effect.sync(() => make(transport, options)))
