/** What threads listen at: the main thread accepts for them. Of datagram ports each has its own, shared by number. */
import { isMainThread } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import * as nativeHandle from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { Answer, NodeHeirHost } from "./NodeHeirHost.ts"
import type { FromHeir } from "./NodeHeirMessage.ts"
import * as Bind from "./NodeListenerBind.ts"
import type { NodeListenerKeeper } from "./NodeListenerKeeper.ts"
import { NodeThreadFeed } from "./NodeThreadFeed.ts"

export class NodeThreadFeeds {
  private readonly keeper: NodeListenerKeeper
  private readonly feeds = new Map<string, NodeThreadFeed>()
  private readonly ports = new Map<string, number>()
  private readonly serving = new Set<NodeHeirHost>()

  constructor(keeper: NodeListenerKeeper) {
    this.keeper = keeper
  }

  answer(key: string, binding: Binding, host: NodeHeirHost): Effect.Effect<Answer, ListenReason> {
    switch (binding._tag) {
      case "Udp":
        return Effect.map(this.portOf(key, binding), (port): Answer => ({ _tag: "Port", port }))
      case "Unix":
        return Effect.fail(
          unsupported("the connections of a UNIX socket cannot go to other threads; processes can share it")
        )
      case "Tcp":
      case "Descriptor":
        return Effect.flatMap(this.feedOf(key, binding), (feed): Effect.Effect<Answer, ListenReason> => {
          const { address } = feed
          if (address === undefined) {
            return Effect.fail(unsupported("only the connections of a TCP socket can go to other threads"))
          }
          feed.enter(host, this.serving.has(host))
          return Effect.succeed({ _tag: "Feed", ...address })
        })
    }
  }

  /** The thread serves what it has opened. */
  begun(host: NodeHeirHost): void {
    this.serving.add(host)
    for (const feed of this.feeds.values()) feed.serve(host)
  }

  /** It gets nothing any more. */
  leaving(host: NodeHeirHost): void {
    this.serving.delete(host)
    for (const feed of this.feeds.values()) feed.leave(host)
  }

  heard(host: NodeHeirHost, message: Extract<FromHeir, { readonly key: string }>): void {
    const feed = this.feeds.get(message.key)
    if (message._tag === "spindle/Left") feed?.leave(host)
    else if (message._tag === "spindle/Took") feed?.took(host)
  }

  /** Another process accepts. */
  stepBack(): void {
    for (const feed of this.feeds.values()) feed.stepBack()
  }

  close(): void {
    for (const feed of this.feeds.values()) feed.close()
    this.feeds.clear()
  }

  private feedOf(key: string, binding: Binding): Effect.Effect<NodeThreadFeed, ListenReason> {
    const { keeper } = this
    return Effect.gen({ self: this }, function* () {
      const { handle, others } = yield* keeper.take(key, binding, 0)
      const more = yield* Effect.forEach(others, (other) => keeper.take(other, binding, 0))
      let feed = this.feeds.get(key)
      if (feed === undefined) {
        feed = new NodeThreadFeed(key, [handle, ...more.map(({ handle }) => handle)])
        this.feeds.set(key, feed)
      }
      return feed
    })
  }

  /** Each thread binds a socket of its own, and the system spreads the datagrams. Port 0 becomes the same one for all. */
  private portOf(key: string, binding: Extract<Binding, { readonly _tag: "Udp" }>) {
    return Effect.suspend((): Effect.Effect<number, ListenReason> => {
      const known = binding.port === 0 ? this.ports.get(key) : binding.port
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(Bind.udp(binding, 0, false), ({ close, handle }) => {
        const address = nativeHandle.addressOf(handle)
        close()
        const chosen = address !== undefined && NetAddress.isInetAddress(address) ? address.port : 0
        const port = this.ports.get(key) ?? chosen
        this.ports.set(key, port)
        return port
      })
    })
  }
}

const unsupported = (detail: string) => new Reason.Unsupported({ detail })

/** Why threads cannot take connections here, if so. */
export const obstacle = (version: string = process.versions.node): string | undefined => {
  if (!isMainThread) return "only the main thread can spread connections over threads"
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major > 26 || (major === 26 && minor >= 6)
    ? undefined
    : `Node ${version} cannot move connections to other threads: 26.6 is needed, or use processes`
}
