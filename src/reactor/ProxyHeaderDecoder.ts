import * as Result from "effect/Result"
import type { ProxyHeader } from "./ProxyHeader.ts"
import {
  HeaderTooLong,
  Malformed,
  NotAHeader,
  type ProxyHeaderError,
  type ProxyHeaderReason,
  receiving,
  Truncated,
  UnsupportedVersion
} from "./ProxyHeaderError.ts"
import * as V1 from "./ProxyHeaderV1.ts"
import * as V2 from "./ProxyHeaderV2.ts"

export interface DecoderOptions {
  /** The versions that are understood. Default both. */
  readonly versions?: ReadonlyArray<1 | 2> | undefined
  /** The longest version 2 header, values and all: 16 to 65,551. Default 4,096. Version 1 has at most 107. */
  readonly headerBytesMax?: number | undefined
}

export const headerBytesMaxDefault = 4_096

export interface Decoded {
  readonly header: ProxyHeader
  /** What came behind the header: a view of the last piece. */
  readonly rest: Uint8Array
}

const carriageReturn = 13
const lineFeed = 10
const v1Prefix = new Uint8Array(Buffer.from("PROXY "))
const wordBytes = v1Prefix.length - 1

/**
 * One PROXY header out of pieces of any size, pure: no I/O, no clock. Whatever it is wrong with, it is refused at the first byte
 * that shows it. Holds one header at most.
 */
export class ProxyHeaderDecoder {
  private readonly versions: ReadonlyArray<1 | 2>
  private readonly headerBytesMax: number
  private held = new Uint8Array(V2.prefixBytes)
  private length = 0
  /** The size of the whole, once it is known. */
  private size: number | undefined = undefined

  constructor(options: DecoderOptions = {}) {
    this.versions = options.versions ?? [1, 2]
    this.headerBytesMax = options.headerBytesMax ?? headerBytesMaxDefault
  }

  /** How many bytes of an unfinished header are held. */
  get bufferedBytes(): number {
    return this.length
  }

  /** The header, once it is whole. Not to be called again then, nor after a failure. */
  push(bytes: Uint8Array): Result.Result<Decoded | undefined, ProxyHeaderError> {
    let at = 0
    while (at < bytes.length && this.size === undefined) {
      const problem = this.take(bytes[at]!)
      if (problem !== undefined) return Result.fail(receiving(problem))
      at++
    }
    if (this.size === undefined) return Result.succeed(undefined)
    const part = bytes.subarray(at, at + this.size - this.length)
    this.held.set(part, this.length)
    this.length += part.length
    if (this.length < this.size) return Result.succeed(undefined)
    const rest = bytes.subarray(at + part.length)
    return Result.mapBoth(this.whole(), { onSuccess: (header) => ({ header, rest }), onFailure: receiving })
  }

  /** What the end of input means here. */
  finish(): ProxyHeaderError {
    return receiving(new Truncated({ section: "2", bufferedBytes: this.length }))
  }

  private get isText(): boolean {
    return this.held[0] === v1Prefix[0]
  }

  private whole(): Result.Result<ProxyHeader, ProxyHeaderReason> {
    if (!this.isText) return V2.decode(this.held)
    const line = Buffer.from(this.held.buffer, 0, this.length - 2).toString("latin1")
    return Result.map(V1.decode(line), (addresses) => ({ version: 1, command: "Proxy", addresses, tlvs: {} }))
  }

  /** One byte of a text, or of the first 16 of the other. */
  private take(byte: number): ProxyHeaderReason | undefined {
    const index = this.length
    if (index === 0 && byte !== v1Prefix[0] && byte !== V2.signature[0]) return notAHeader(0)
    if (index === this.held.length) this.grow(V1.lineBytesMax)
    this.held[index] = byte
    this.length++
    return this.isText ? this.checkText(index, byte) : this.checkPrefix(index, byte)
  }

  private checkText(index: number, byte: number): ProxyHeaderReason | undefined {
    if (index < v1Prefix.length && byte !== v1Prefix[index]) {
      return index < wordBytes ? notAHeader(index) : malformed("no space behind PROXY")
    }
    if (index === wordBytes && !this.versions.includes(1)) return unsupported(1)
    const afterReturn = this.held[index - 1] === carriageReturn
    if (afterReturn !== (byte === lineFeed)) {
      return malformed(afterReturn ? "a CR without LF" : "a LF without CR")
    }
    if (afterReturn) this.size = this.length
    else if (this.length === V1.lineBytesMax) {
      return new HeaderTooLong({ section: "2.1", limit: V1.lineBytesMax, size: undefined })
    }
    return undefined
  }

  private checkPrefix(index: number, byte: number): ProxyHeaderReason | undefined {
    if (index < V2.signature.length) return byte === V2.signature[index] ? undefined : notAHeader(index)
    if (index === 12) {
      const version = byte >>> 4
      return version === 2 && this.versions.includes(2) ? undefined : unsupported(version)
    }
    if (index < V2.prefixBytes - 1) return undefined
    const size = V2.prefixBytes + this.held[14]! * 256 + byte
    const problem = V2.prefixProblem(this.held)
    if (problem !== undefined) return problem
    if (size > this.headerBytesMax) {
      return new HeaderTooLong({ section: "2.2", limit: this.headerBytesMax, size })
    }
    this.size = size
    this.grow(size)
    return undefined
  }

  private grow(size: number): void {
    const grown = new Uint8Array(size)
    grown.set(this.held)
    this.held = grown
  }
}

const notAHeader = (offset: number) => new NotAHeader({ section: "2.2", offset })
const malformed = (detail: string) => new Malformed({ section: "2.1", detail })
const unsupported = (version: number) => new UnsupportedVersion({ section: "2", version })
