/**
 * Descriptors in boxes: a number that counts those sent on the connection, while the descriptor itself travels beside the bytes.
 * Which connection it is, is known only while one of its boxes is encoded or decoded, in one step.
 */
import * as Result from "effect/Result"
import { integer, type ValueCodec } from "./AmpValueWire.ts"

/** A connection's part in one box. */
export interface DescriptorPort {
  /** Has the descriptor sent with this box, and gives its number; `undefined` where none can be sent. */
  readonly give: (descriptor: number) => number | undefined
  /** The descriptor with that number, if it came and was not taken before. */
  readonly take: (ordinal: number) => number | undefined
}

let current: DescriptorPort | undefined

/** Runs `f`, which neither waits nor enters this again, for a box of that connection. */
export const withPort = <A>(port: DescriptorPort | undefined, f: () => A): A => {
  current = port
  try {
    return f()
  } finally {
    current = undefined
  }
}

/** Twisted: `Descriptor`. */
export const descriptorWire: ValueCodec<number> = {
  decode: (bytes) =>
    Result.flatMap(integer.decode(bytes), (ordinal) => {
      const descriptor = current?.take(ordinal)
      return descriptor === undefined
        ? Result.fail(`descriptor ${ordinal} did not come`)
        : Result.succeed(descriptor)
    }),
  encode: (descriptor) => {
    if (!Number.isInteger(descriptor) || descriptor < 0) return Result.fail(`${descriptor} is no descriptor`)
    const ordinal = current?.give(descriptor)
    return ordinal === undefined
      ? Result.fail("this connection carries no descriptors: a UNIX socket does, of a reactor that can")
      : integer.encode(ordinal)
  }
}
