/** `spindle socks`: a SOCKS proxy for this machine, to the public internet, unless told otherwise. Twisted: `twist socks`. */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeNetworks from "../../node/NodeNetworks.ts"
import * as SocksRules from "../../socks/SocksRules.ts"
import * as SocksServer from "../../socks/SocksServer.ts"
import * as SocksUsers from "../../socks/SocksUsers.ts"
import type { Command } from "../../socks/SocksWire.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { isExposed, refuseExposed, refusePlaintext } from "./exposure.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryCommand } from "./tryIt.ts"
import { usersFile } from "./usersFile.ts"

const byDefault = `tcp:${SocksServer.port}:interface=127.0.0.1`
const description = "a SOCKS proxy: 4, 4a and 5 (RFC 1928)"

const networks = (name: string, what: string) =>
  Flag.String(name).pipe(Flag.atLeast(0), Flag.withMetavar("NETWORK"), Flag.withDescription(what))

const rulesOf = (options: SocksRules.Options) =>
  Effect.try({
    try: () => SocksRules.make(options),
    catch: (cause) =>
      new UsageError({
        detail: `--client, --allow, --deny: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: "a network is 10.0.0.0/8, or one address"
      })
  })

export const maker = ServiceMaker.make({
  name: "socks",
  description,
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    clients: networks("client", "Who may use it; may be given several times. Default this machine"),
    allow: networks("allow", "What may be reached besides the public internet, such as 10.0.0.0/8"),
    deny: networks("deny", "What may not be reached, before --allow, such as 203.0.113.0/24"),
    bind: Flag.Boolean("bind").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Open ports for clients that wait for a connection (BIND)")
    ),
    udp: Flag.Boolean("udp").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Pass datagrams on (UDP ASSOCIATE)")
    ),
    users: Flag.String("users").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("Who may log in: lines of NAME:PASSWORD. Default: nobody is asked")
    ),
    idleTimeout: Flag.Finite("idle-timeout").pipe(
      Flag.optional,
      Flag.withMetavar("SECONDS"),
      Flag.withDescription("Close connections on which nothing passes for so long; default never")
    ),
    unprotected: Flag.Boolean("unprotected").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Listen also where others can connect without a password, or with one in plaintext"
      )
    )
  },
  make: Effect.fnUntraced(function* (flags) {
    const { allow, bind, clients, connectionsMax, deny, idleTimeout, listen, udp, unprotected } = flags
    const seconds = Option.getOrUndefined(idleTimeout)
    if (seconds !== undefined && seconds <= 0) {
      return yield* new UsageError({ detail: "--idle-timeout must be above 0" })
    }
    const endpoints = yield* servers(listen.length === 0 ? [byDefault] : listen)
    if (!unprotected) {
      yield* Option.isNone(flags.users)
        ? refuseExposed(endpoints, "SOCKS asks nobody for a password without --users", "unprotected")
        : refusePlaintext(endpoints, "unprotected")
    }
    if (clients.length === 0 && endpoints.some(isExposed)) {
      return yield* new UsageError({
        detail: "--client is missing: who of those that can reach it may use it",
        hint: "such as --client 192.168.1.0/24"
      })
    }
    const commands: ReadonlyArray<Command> = [
      "connect",
      ...(bind ? (["bind"] as const) : []),
      ...(udp ? (["associate"] as const) : [])
    ]
    const rules = yield* rulesOf({
      allow,
      deny,
      commands,
      clients: clients.length === 0 ? undefined : clients,
      own: NodeNetworks.own()
    })
    const known = Option.isNone(flags.users)
      ? SocksUsers.nobodyAsked
      : SocksUsers.memory(yield* usersFile(flags.users.value))
    const converse = SocksServer.protocol({
      idleTimeout: seconds === undefined ? undefined : Duration.seconds(seconds)
    })
    return StreamServerService.make({
      name: "socks",
      description,
      endpoint: endpoints,
      connectionsMax,
      // Connections through it may live long.
      drainTimeout: "1 second",
      protocol: (transport) =>
        converse(transport).pipe(
          Effect.provideService(SocksRules.SocksRules, rules),
          Effect.provideService(SocksUsers.SocksUsers, known)
        ),
      onStart: tryCommand((host, port) => `curl -x socks5h://${host}:${port} https://example.org/`)
    })
  })
})
