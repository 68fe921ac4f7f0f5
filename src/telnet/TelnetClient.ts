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
import { option } from "./TelnetWire.ts"

export interface Options extends Pick<Telnet.Options, "subnegotiationBytesMax" | "negotiationsMax"> {
  /** What we call our terminal. Default `UNKNOWN`, as RFC 1091 has it. */
  readonly terminalType?: string | undefined
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
    /** The window has another size. */
    readonly resize: (window: TelnetDetails.Window) => Effect.Effect<void, TransportError>
  }
>()("spindle/telnet/TelnetClient") {}

const local = [option.binary, option.suppressGoAhead, option.terminalType, option.windowSize]
const remote = [option.binary, option.echo, option.suppressGoAhead]

/** Over a connection that there is. */
export const make = (transport: Transport, options: Options = {}): TelnetClient["Service"] => {
  const { negotiationsMax, subnegotiationBytesMax, terminalType = "UNKNOWN" } = options
  let window = options.window ?? { columns: 80, rows: 24 }
  const telnet = Telnet.make(transport, { local, remote, negotiationsMax, subnegotiationBytesMax })
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
      return telnet.subnegotiate(option.terminalType, TelnetDetails.formatTerminalType(terminalType))
    }
    return Effect.void
  }

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
    .split("\n")
    .map((line) => line.split("\t").map(visible).join("\t"))
    .join("\n")

/** A client of an endpoint, connected as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Client,
  options?: Options
): Layer.Layer<TelnetClient, ConnectError, Reactor> =>
  Client.layer(TelnetClient, endpoint, (transport) => Effect.sync(() => make(transport, options)))
