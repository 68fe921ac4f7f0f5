/**
 * Who may use a proxy for what: what the application supplies. The ready default is no open proxy: it serves this machine only,
 * and leads to the public internet only.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as SocksReach from "./SocksReach.ts"
import type { Command, Host } from "./SocksWire.ts"

/** A question to the rules: may this client do this, with this very address? */
export interface Asked {
  readonly client: NetAddress.SocketAddress
  /** Where the client connected to: an address of this machine. */
  readonly local: NetAddress.SocketAddress
  /** Who logged in; `undefined` where nobody had to. */
  readonly user: string | undefined
  readonly command: Command
  /** As it was asked for: a name, or an address. */
  readonly host: Host
  readonly port: number
  /** One address that `host` has. The connection is made to it, and not looked up once more. */
  readonly address: NetAddress.IpAddress
}

/** Twisted: `SOCKSv4.authorize`, which knows the name's owner neither. */
export class SocksRules extends Context.Service<
  SocksRules,
  {
    /** Whether to talk with this client at all; asked before anything is received. */
    readonly admits: (client: NetAddress.SocketAddress) => Effect.Effect<boolean>
    /** Whether the client may use the command; asked before a name is looked up. */
    readonly serves: (asked: Omit<Asked, "address">) => Effect.Effect<boolean>
    /** Whether it may with this address: asked of each one of a name. */
    readonly reaches: (asked: Asked) => Effect.Effect<boolean>
  }
>()("spindle/socks/SocksRules") {}

export interface Options {
  /** Networks of the clients; `unix` for those over UNIX sockets. Default this machine: `127.0.0.0/8`, `::1/128`, `unix`. */
  readonly clients?: ReadonlyArray<string> | undefined
  /** Default `connect` only: the others open ports. */
  readonly commands?: ReadonlyArray<Command> | undefined
  /** Networks that may be reached although they are not public, or this machine's own. Default none. */
  readonly allow?: ReadonlyArray<string> | undefined
  /** Networks that may not be reached; before `allow`. Default none. */
  readonly deny?: ReadonlyArray<string> | undefined
  /**
   * Networks that this machine is in, and its addresses: public ones, too, are reached only where `allow` says so. Default none but the
   * address that the client connected to.
   */
  readonly own?: ReadonlyArray<string> | undefined
  /** The only ports that may be reached. Default all. */
  readonly ports?: ReadonlyArray<number> | undefined
}

const thisMachine = ["127.0.0.0/8", "::1/128", "unix"]

/** Throws a `NetAddressError` for what is no network. */
export const make = (options: Options = {}): SocksRules["Service"] => {
  const { allow = [], clients = thisMachine, commands = ["connect"], deny = [], own = [], ports } = options
  const networks = (texts: ReadonlyArray<string>) => new SocksReach.Networks(texts.map(networkOf))
  const from = networks(clients.filter((text) => text !== "unix"))
  const unix = clients.includes("unix")
  const allowed = networks(allow)
  const denied = networks(deny)
  const around = networks(own)
  const isPort = (port: number) => ports === undefined || ports.includes(port)
  return {
    admits: (client) => Effect.succeed(NetAddress.isInetAddress(client) ? from.has(client.address) : unix),
    serves: ({ command, port }) =>
      Effect.succeed(commands.includes(command) && (command !== "connect" || isPort(port))),
    reaches: ({ address, command, local, port }) =>
      Effect.sync(() => {
        // Who connects to a bound port comes from any.
        if (command !== "bind" && !isPort(port)) return false
        if (denied.has(address)) return false
        if (allowed.has(address)) return true
        return SocksReach.isPublic(address) && !isOwn(address, local) && !around.has(address)
      })
  }
}

/** What trusts this machine would trust whoever comes through it. */
const isOwn = (address: NetAddress.IpAddress, local: NetAddress.SocketAddress): boolean =>
  NetAddress.isInetAddress(local) &&
  Equal.equals(NetAddress.toCanonical(local.address), NetAddress.toCanonical(address))

/** `10.0.0.0/8`, or one address. */
const networkOf = (text: string): IpNetwork.IpNetwork => {
  if (text.includes("/")) return IpNetwork.fromStringUnsafe(text)
  const address = NetAddress.toCanonical(NetAddress.ipFromStringUnsafe(text))
  return IpNetwork.fromAddressUnsafe(address, NetAddress.width(address))
}

export const layer = (options?: Options): Layer.Layer<SocksRules> =>
  Layer.sync(SocksRules, () => make(options))
