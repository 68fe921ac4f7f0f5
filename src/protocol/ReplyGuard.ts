/**
 * Whom a service on datagrams may answer. The sender of a datagram is whoever it says it is: who answers without care can be
 * set upon another such service, so that the two answer each other for ever, or made to flood somebody with its answers
 * (CERT CA-1996-01). So
 *
 * - nothing goes to a port of a service that would answer in turn, nor to our own port's number, nor to a group or broadcast address;
 * - a peer gets so many answers a second, and all peers together so many.
 *
 * Pure: time comes in as seconds.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"

export interface Options {
  /** Answers that one peer gets a second, in the long run. One peer is an IPv4 address, or 64 bits of an IPv6 one. Default 10. */
  readonly peerAnswersPerSecond?: number | undefined
  /** Answers that one peer gets at once after a pause. Default 20. */
  readonly peerAnswersBurst?: number | undefined
  /** Answers a second to all peers together; as many at once after a pause. Default 1,000. */
  readonly answersPerSecond?: number | undefined
  /** Peers that are remembered; the one that was heard of longest ago is forgotten. Default 4,096. */
  readonly peersMax?: number | undefined
  /** Ports that get no answer besides `answering`. Default none. */
  readonly ports?: Iterable<number> | undefined
  /** Addresses that get any number of answers, as far as their ports may be answered. Default none. */
  readonly isUnlimited?: ((address: NetAddress.IpAddress) => boolean) | undefined
}

/**
 * Ports above 1,023 whose services answer datagrams unasked for: NFS, SSDP, mDNS, memcached, and where this package's own
 * small services are put by default. Every port below 1,024 is one (RFC 862 to 868 are 7, 9, 13, 17, 19, 37; 53, 69, 123, 161
 * answer as well), and no client sends from there.
 */
export const answering: ReadonlySet<number> = new Set([
  1900, 2049, 5353, 11_211, 7007, 7009, 7013, 7017, 7019, 7037
])

const reservedPorts = 1024

/** Answers that may be given, as a time: when there was, or will be, just nothing in the bucket. */
class Bucket {
  private emptyAt = Number.NEGATIVE_INFINITY

  /** Whether there are so many at `now`; they are taken, all or none. */
  take(count: number, perSecond: number, burst: number, now: number): boolean {
    const next = Math.max(this.emptyAt, now - burst / perSecond) + count / perSecond
    if (next > now + tolerance) return false
    this.emptyAt = next
    return true
  }
}

/** Sums of fractions are not exact. */
const tolerance = 1e-9

export class ReplyGuard {
  private readonly peerAnswersPerSecond: number
  private readonly peerAnswersBurst: number
  private readonly answersPerSecond: number
  private readonly peersMax: number
  private readonly ports: ReadonlySet<number>
  private readonly isUnlimited: (address: NetAddress.IpAddress) => boolean
  /** In the order in which they were heard of last. */
  private readonly peers = new Map<string, Bucket>()
  private readonly all = new Bucket()

  /** `localPort` is the number of the port that answers. */
  constructor(localPort: number, options: Options = {}) {
    this.peerAnswersPerSecond = options.peerAnswersPerSecond ?? 10
    this.peerAnswersBurst = options.peerAnswersBurst ?? 20
    this.answersPerSecond = options.answersPerSecond ?? 1_000
    this.peersMax = options.peersMax ?? 4_096
    this.ports = new Set([localPort, ...answering, ...(options.ports ?? [])])
    this.isUnlimited = options.isUnlimited ?? (() => false)
  }

  /** Whether that peer may be answered at `nowSeconds`, by so many datagrams; if so, they are counted. */
  admits(peer: NetAddress.SocketAddress, nowSeconds: number, count = 1): boolean {
    if (!NetAddress.isInetAddress(peer)) return false
    if (peer.port < reservedPorts || this.ports.has(peer.port)) return false
    const address = addressOf(peer)
    if (!isOne(address)) return false
    if (this.isUnlimited(address)) return true
    const key = keyOf(address, peer)
    const bucket = this.peers.get(key) ?? new Bucket()
    this.peers.delete(key)
    this.peers.set(key, bucket)
    if (this.peers.size > this.peersMax) this.peers.delete(this.peers.keys().next().value!)
    return (
      bucket.take(count, this.peerAnswersPerSecond, this.peerAnswersBurst, nowSeconds) &&
      this.all.take(count, this.answersPerSecond, this.answersPerSecond, nowSeconds)
    )
  }
}

/** An IPv4 address that comes as an IPv6 one, as on a socket for both, is the IPv4 address. */
const addressOf = ({ address }: NetAddress.InetAddress): NetAddress.IpAddress =>
  NetAddress.isIpv6Address(address)
    ? Option.getOrElse(NetAddress.fromIpv4Mapped(address), () => address)
    : address

/** One machine's address: neither of a group, nor of all, nor of nobody. */
const isOne = (address: NetAddress.IpAddress): boolean =>
  !NetAddress.isMulticast(address) &&
  !NetAddress.isUnspecified(address) &&
  !(NetAddress.isIpv4Address(address) && NetAddress.isBroadcast(address))

const keyOf = (address: NetAddress.IpAddress, peer: NetAddress.InetAddress): string =>
  NetAddress.isIpv4Address(address) || !NetAddress.isInetAddressV6(peer)
    ? NetAddress.formatIp(address)
    : `${NetAddress.ipv6ToOctets(address).slice(0, 8).join(".")}%${peer.scopeId}`
