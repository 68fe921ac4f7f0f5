import * as NetAddress from "effect/net/NetAddress"

/** RFC 6335 §6: the dynamic ports. */
export const ephemeralMin = 49_152
export const ephemeralMax = 65_535

export interface BindOptions {
  readonly address: NetAddress.IpAddress
  /** 0 takes the next free ephemeral port. */
  readonly port: number
  /** Only for IPv6: `::` does not take IPv4 as well. */
  readonly ipv6Only?: boolean | undefined
  /** Shares the port with others that say so too: the newest gets what is for one (SO_REUSEADDR of UDP). */
  readonly reuseAddress?: boolean | undefined
  /** The same, but what is for one is spread over them (SO_REUSEPORT). */
  readonly reusePort?: boolean | undefined
}

/** A port that is taken, and by whom. */
export interface Binding<A> {
  readonly address: NetAddress.IpAddress
  readonly port: number
  readonly ipv6Only: boolean
  readonly reuseAddress: boolean
  readonly reusePort: boolean
  readonly owner: A
}

/** The ports of one host and one protocol (TCP or UDP). */
export class MemoryPorts<A> {
  private readonly bindings = new Map<number, Array<Binding<A>>>()
  private nextEphemeral = ephemeralMin

  get size(): number {
    let size = 0
    for (const bindings of this.bindings.values()) size += bindings.length
    return size
  }

  /** All that are taken, in the order of their ports. */
  all(): ReadonlyArray<Binding<A>> {
    return [...this.bindings.keys()].sort((a, b) => a - b).flatMap((port) => this.bindings.get(port)!)
  }

  /** Takes a port; undefined if it is somebody else's, or none is left. */
  bind(options: BindOptions, owner: A): Binding<A> | undefined {
    const binding: Binding<A> = { ...filled(options), owner }
    if (binding.port !== 0) return this.isFree(binding) ? this.add(binding) : undefined
    for (let tried = ephemeralMin; tried <= ephemeralMax; tried++) {
      const port = this.nextEphemeral
      this.nextEphemeral = port === ephemeralMax ? ephemeralMin : port + 1
      if (!this.bindings.has(port)) return this.add({ ...binding, port })
    }
    return undefined
  }

  release(binding: Binding<A>): void {
    const left = (this.bindings.get(binding.port) ?? []).filter((other) => other !== binding)
    if (left.length === 0) this.bindings.delete(binding.port)
    else this.bindings.set(binding.port, left)
  }

  /** Whose the packets for `address` are: exact bindings first, then those for all addresses; the newest first. */
  find(address: NetAddress.IpAddress, port: number): ReadonlyArray<Binding<A>> {
    const bindings = this.bindings.get(port)
    if (bindings === undefined) return []
    const covering = bindings.filter((binding) => covers(binding, address)).reverse()
    const exact = covering.filter((binding) => !NetAddress.isUnspecified(binding.address))
    return [...exact, ...covering.filter((binding) => NetAddress.isUnspecified(binding.address))]
  }

  private isFree(wanted: Binding<A>): boolean {
    return (this.bindings.get(wanted.port) ?? []).every(
      (other) =>
        (wanted.reuseAddress && other.reuseAddress) ||
        (wanted.reusePort && other.reusePort) ||
        !(covers(wanted, other.address) || covers(other, wanted.address))
    )
  }

  private add(binding: Binding<A>): Binding<A> {
    const bindings = this.bindings.get(binding.port)
    if (bindings === undefined) this.bindings.set(binding.port, [binding])
    else bindings.push(binding)
    return binding
  }
}

const filled = ({ address, port, ipv6Only, reuseAddress, reusePort }: BindOptions) => ({
  address,
  port,
  ipv6Only: ipv6Only ?? false,
  reuseAddress: reuseAddress ?? false,
  reusePort: reusePort ?? false
})

/**
 * Which of those that were found gets what is for one: the first, or one of those that share the port with it by
 * `reusePort`: for the same `key` always the same one.
 */
export const oneOf = <A>(found: ReadonlyArray<Binding<A>>, key: number): Binding<A> | undefined => {
  const [first] = found
  if (first?.reusePort !== true) return first
  const sharing = found.filter(
    ({ address, reusePort }) =>
      reusePort && NetAddress.formatIp(address) === NetAddress.formatIp(first.address)
  )
  return sharing[key % sharing.length]
}

/** Whether packets for `address` go to the binding. `0.0.0.0` takes all of IPv4; `::` IPv6, and IPv4 unless told otherwise. */
const covers = (binding: Binding<unknown>, address: NetAddress.IpAddress): boolean => {
  if (!NetAddress.isUnspecified(binding.address)) {
    return NetAddress.formatIp(binding.address) === NetAddress.formatIp(address)
  }
  if (NetAddress.isIpv4Address(binding.address)) return NetAddress.isIpv4Address(address)
  return NetAddress.isIpv6Address(address) || !binding.ipv6Only
}
