/** The listening sockets that a process or thread gets from the one that started it: questions, and what is answered. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { ListenReason } from "../reactor/ReactorError.ts"
import { isHandle } from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import { atOnce, type NodeHeirBeginning } from "./NodeHeirBeginning.ts"
import { NodeHeirFeeds } from "./NodeHeirFeeds.ts"
import { type FromHeir, type Role, type ToHeir, uncarryReason } from "./NodeHeirMessage.ts"
import type { NodeListenerSource, Taken } from "./NodeListenerSource.ts"

type Given = Effect.Effect<Taken | undefined, ListenReason>

/** What answers a question, or is a connection of one that was answered. */
export type Answer = Extract<
  ToHeir,
  {
    readonly _tag:
      | "spindle/Given"
      | "spindle/None"
      | "spindle/Port"
      | "spindle/Feed"
      | "spindle/Refused"
      | "spindle/Connection"
  }
>

interface Question {
  readonly key: string
  readonly resume: (given: Given) => void
}

export class NodeHeirSource implements NodeListenerSource {
  /** The process that gives. */
  predecessor = 0
  private readonly role: Role
  private readonly post: (message: FromHeir) => void
  private readonly beginning: NodeHeirBeginning
  private readonly feeds: NodeHeirFeeds
  private readonly asked = new Map<number, Question>()
  private questions = 0
  private isClosed = false

  constructor(role: Role, post: (message: FromHeir) => void, beginning: NodeHeirBeginning) {
    this.role = role
    this.post = post
    this.beginning = beginning
    this.feeds = new NodeHeirFeeds(post)
  }

  take(key: string, binding: Binding): Given {
    return Effect.callback((resume) => {
      // A predecessor has given all it had.
      if (this.isClosed || (this.role === "successor" && this.beginning.isNow)) {
        return resume(Effect.undefined)
      }
      const id = this.questions++
      this.asked.set(id, { key, resume })
      this.post({ _tag: "spindle/Take", id, key, binding })
      return Effect.sync(() => this.asked.delete(id))
    })
  }

  got(message: Answer, handle: unknown): void {
    switch (message._tag) {
      case "spindle/Given":
        return this.gotSocket(message, handle)
      case "spindle/None":
        return void this.answer(message.id, () => Effect.undefined)
      case "spindle/Port":
        return void this.answer(message.id, () => Effect.succeed({ _tag: "Port", port: message.port }))
      case "spindle/Feed":
        return void this.answer(message.id, (key) =>
          Effect.succeed(
            this.feeds.open(key, NetAddress.inetAddressFromNativeUnsafe(message.host, message.port))
          )
        )
      case "spindle/Refused":
        return void this.answer(message.id, () => Effect.fail(uncarryReason(message.reason)))
      case "spindle/Connection":
        return this.feeds.accept(message.key, message.socket)
    }
  }

  private gotSocket(
    { held, id, others = [], owned }: Extract<Answer, { readonly _tag: "spindle/Given" }>,
    handle: unknown
  ): void {
    // It was closed on the way.
    if (!isHandle(handle)) return void this.answer(id, () => Effect.undefined)
    const taken: Taken = {
      _tag: "Handle",
      handle,
      beginning: held ? this.beginning : atOnce,
      owner: owned ? this.predecessor : undefined,
      others
    }
    // Nobody waits for it any more.
    if (!this.answer(id, () => Effect.succeed(taken))) handle.close()
  }

  private answer(id: number, given: (key: string) => Given): boolean {
    const question = this.asked.get(id)
    if (question === undefined) return false
    this.asked.delete(id)
    question.resume(given(question.key))
    return true
  }

  /** Nobody answers any more: there is nothing to be had. */
  close(): void {
    this.isClosed = true
    for (const { resume } of this.asked.values()) resume(Effect.undefined)
    this.asked.clear()
  }
}
