/** The answer to one command over UDP, from its datagrams. Pure. */
import * as Result from "effect/Result"
import { type Command, isError } from "./MemcacheCommand.ts"
import { Assembly, type Header } from "./MemcacheDatagramWire.ts"
import { complaintOf, Malformed, type MemcacheReason } from "./MemcacheError.ts"
import * as MemcacheReplyWire from "./MemcacheReplyWire.ts"
import type { Reply } from "./MemcacheReplyWire.ts"
import { lineBytesMax } from "./MemcacheWire.ts"

export interface Options {
  /** The largest value that is taken. Default 1 MiB. */
  readonly valueBytesMax?: number | undefined
}

const valueBytesDefault = 1_048_576

/** All replies, or what is wrong with them. */
export type Said = Result.Result<ReadonlyArray<Reply>, MemcacheReason>

export class MemcacheDatagramAnswer {
  private readonly command: Command
  private readonly valueBytesMax: number
  private readonly assembly: Assembly

  constructor(command: Command, options: Options = {}) {
    this.command = command
    this.valueBytesMax = options.valueBytesMax ?? valueBytesDefault
    this.assembly = new Assembly(this.valueBytesMax + lineBytesMax)
  }

  /** `undefined` until it is whole. */
  add(header: Header, payload: Uint8Array): Said | undefined {
    const message = this.assembly.add(header, payload)
    if (message === undefined) return undefined
    if (message === "Contradiction") return malformed("datagrams that do not belong together")
    if (message === "TooLong") return malformed("a longer answer than is taken")
    return this.read(message)
  }

  private read(message: Uint8Array): Said {
    const { command, valueBytesMax } = this
    const decoder = MemcacheReplyWire.decoder({ valueBytesMax })
    decoder.push(message)
    const replies = decoder.drain()
    if (decoder.failure !== undefined) return malformed(decoder.failure.message)
    for (const [i, reply] of replies.entries()) {
      const { block, line } = reply
      if (block === undefined && isError(line)) return Result.fail(complaintOf(line))
      if (!command.isAnswer(reply)) {
        return malformed(`no answer to ${command.operation}: ${line.slice(0, 80)}`)
      }
      if (command.isLast(reply)) {
        const isEnd = i === replies.length - 1 && decoder.bufferedBytes === 0
        return isEnd ? Result.succeed(replies) : malformed("more than an answer")
      }
    }
    return malformed("an answer that is not whole")
  }
}

const malformed = (detail: string): Said => Result.fail(new Malformed({ detail }))
