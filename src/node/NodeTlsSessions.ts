/** TLS sessions of a reactor's clients, to be resumed. */

const serversMax = 256
/** Of TLS 1.3, where each ticket serves one connection; two come with every handshake. */
const ticketsMax = 4

export interface Session {
  readonly bytes: Buffer
  /** RFC 8446 §C.4: tickets of TLS 1.3 are used once, so that nobody can tell that two connections are the same client's. */
  readonly singleUse: boolean
  /** The certificate that was accepted, in DER: Node forgets it. */
  readonly certificate: Uint8Array
  /** How long its acceptance holds, in milliseconds of the wall clock: resuming again and again does not prolong it. */
  readonly until: number
}

/** At most so many servers, those that were heard of last. A key says all that a session may depend on. */
export class NodeTlsSessions {
  private readonly kept = new Map<string, ReadonlyArray<Session>>()

  get size(): number {
    return this.kept.size
  }

  /** The newest session. */
  take(key: string, now: number): Session | undefined {
    const sessions = this.kept.get(key)?.filter(({ until }) => until > now)
    const newest = sessions?.at(-1)
    if (sessions === undefined || newest === undefined) {
      this.kept.delete(key)
      return undefined
    }
    if (newest.singleUse) this.keep(key, sessions.slice(0, -1))
    return newest
  }

  add(key: string, session: Session): void {
    const others = session.singleUse ? (this.kept.get(key) ?? []).filter((each) => each.singleUse) : []
    this.keep(key, [...others, session].slice(-ticketsMax))
  }

  private keep(key: string, sessions: ReadonlyArray<Session>): void {
    this.kept.delete(key)
    if (sessions.length > 0) this.kept.set(key, sessions)
    if (this.kept.size > serversMax) this.kept.delete(this.kept.keys().next().value!)
  }
}
