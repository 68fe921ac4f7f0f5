/**
 * A stream that carries open descriptors beside its bytes: a UNIX socket, of a platform that can. Twisted: `IUNIXTransport`,
 * `IFileDescriptorReceiver`.
 */
import type { TransportError } from "./ReactorError.ts"
import type { Transport } from "./Transport.ts"
import { TransportView } from "./TransportView.ts"

export interface DescriptorCarrier {
  /**
   * Has a descriptor leave with the bytes that are sent next, within the same turn; it stays open here, and may be closed at
   * once. Gives the reason if it cannot be sent.
   */
  readonly sendDescriptor: (descriptor: number) => TransportError | undefined
  /** Those that came before the bytes that were received last, in their order. Whoever takes them closes them. */
  readonly takeDescriptors: () => ReadonlyArray<number>
  readonly closeDescriptor: (descriptor: number) => void
}

const carrier = Symbol.for("spindle/reactor/DescriptorTransport")

export interface DescriptorTransport extends Transport {
  readonly [carrier]: DescriptorCarrier
}

/** How a transport says that it carries them. */
export { carrier }

/** What carries descriptors for this transport, or for what it is a view of. */
export const carrierOf = (transport: Transport): DescriptorCarrier | undefined => {
  for (let at: Transport | undefined = transport; at !== undefined; at = TransportView.innerOf(at)) {
    if (carrier in at) return (at as DescriptorTransport)[carrier]
  }
  return undefined
}
