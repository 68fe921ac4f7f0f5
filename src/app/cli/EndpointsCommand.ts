/** `spindle endpoints`: what each scheme takes. */
import * as Console from "effect/Console"
import * as EndpointDescription from "../../reactor/EndpointDescription.ts"
import * as SocksSchemes from "../../socks/SocksSchemes.ts"

const titles = {
  server: "SERVERS (--listen, Endpoint.parseServer)",
  client: "CLIENTS (--to, Endpoint.parseClient)",
  udp: "DATAGRAMS (--listen udp:..., Endpoint.parseUdp)"
} as const satisfies Record<EndpointDescription.Use, string>

export const uses = ["server", "client", "udp"] as const satisfies ReadonlyArray<EndpointDescription.Use>

/** What is said of one use, or of all. */
export const text = (use: EndpointDescription.Use | undefined): string =>
  (use === undefined ? uses : [use])
    .map((use) => `${titles[use]}\n\n${EndpointDescription.help(use, { schemes: SocksSchemes.all })}`)
    .join("\n\n\n")

export const endpoints = (use: EndpointDescription.Use | undefined) => Console.log(text(use))
