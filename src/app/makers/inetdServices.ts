/** The services of an inetd.conf. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as DatagramAnswers from "../../inetd/DatagramAnswers.ts"
import type { Entry, Program } from "../../inetd/InetdConfWire.ts"
import * as SmallServices from "../../inetd/SmallServices.ts"
import * as NodeAccounts from "../../node/NodeAccounts.ts"
import * as NodeWaitingSocket from "../../node/NodeWaitingSocket.ts"
import * as Endpoint from "../../reactor/Endpoint.ts"
import * as DatagramService from "../DatagramService.ts"
import * as Service from "../Service.ts"
import * as StreamServerService from "../StreamServerService.ts"
import * as Programs from "./inetdPrograms.ts"
import { hintOf } from "./smallService.ts"

export interface Options {
  /** Of one service. */
  readonly connectionsMax: number
  /** Who runs this process. */
  readonly self: { readonly uid: number; readonly gid: number }
}

/** A line that says nothing wrong, but cannot be followed here. */
export class NotHere extends Data.TaggedError("NotHere")<{ readonly message: string }> {}

/** `name` has to be unique among the services. */
export const make = Effect.fnUntraced(function* (entry: Entry, name: string, options: Options) {
  const { address: given, family, port, program, protocol, service } = entry
  const address = given ?? (family === "IPv6" ? "::" : "0.0.0.0")
  // Whoever listens on IPv6 has a line of its own for IPv4.
  const ipv6Only = family === "IPv6"
  const tcp = Endpoint.tcp({ port, interface: address, ipv6Only })
  const common = { name, description: descriptionOf(entry) }
  if (program === undefined) {
    const small = SmallServices.internal.get(service)!
    return protocol === "tcp"
      ? StreamServerService.make({
          ...common,
          endpoint: tcp,
          protocol: small.protocol,
          onStart: hintOf(small),
          connectionsMax: options.connectionsMax
        })
      : DatagramService.make({
          ...common,
          endpoint: Endpoint.udp({ port, interface: address, ipv6Only }),
          serve: (port) => DatagramAnswers.make(port, small.answer).run
        })
  }
  const started = { program, owner: yield* ownerOf(entry, options), startsMax: entry.startsMax }
  return entry.wait
    ? waiting(common, { protocol, address, port, ipv6Only }, started)
    : StreamServerService.make({
        ...common,
        endpoint: tcp,
        protocol: Programs.onConnection(started),
        connectionsMax: options.connectionsMax
      })
})

const waiting = (common: Service.Common, place: NodeWaitingSocket.Place, started: Programs.Options) =>
  Service.make({
    ...common,
    privileged: NodeWaitingSocket.open(place),
    start: (socket: NodeWaitingSocket.WaitingSocket) => Effect.succeed(socket),
    run: Programs.onSocket(started)
  })

const descriptionOf = ({ port, program, protocol, service, wait }: Entry): string =>
  program === undefined
    ? `${service}, ${protocol} port ${port}`
    : `${program.path}, ${protocol} port ${port}${wait ? ", with the socket" : ""}`

/** As whom the program runs; `undefined` where that is us anyway. */
const ownerOf = Effect.fnUntraced(function* (
  { group, user }: Entry & { readonly program?: Program | undefined },
  { self }: Options
) {
  const { gid: ownGid, name, uid } = yield* NodeAccounts.findUser(user)
  const gid = group === undefined ? ownGid : (yield* NodeAccounts.findGroup(group)).gid
  if (gid === undefined)
    return yield* new NotHere({ message: `user ${user} has no group: write ${user}.GROUP` })
  if (uid === self.uid && gid === self.gid) return undefined
  if (self.uid === 0) return { uid, gid }
  if (uid === self.uid) {
    if (group === undefined) return undefined
    return yield* new NotHere({ message: `only root can start it with the group ${group}` })
  }
  return yield* new NotHere({ message: `only root can start it as ${name ?? uid}` })
})
