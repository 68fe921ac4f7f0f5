/**
 * One message to many WebSockets: framed once, in slices between which the event loop goes on, and never at the pace of the
 * slowest.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { NodeWebSocketConnection } from "../node/NodeWebSocketConnection.ts"
import * as Immediate from "../reactor/Immediate.ts"
import { type Message, prepare, type Prepared, type WebSocket } from "./WebSocket.ts"
import { CloseCode, type WebSocketError } from "./WebSocketError.ts"

export interface Options {
  /**
   * What becomes of who takes no more, at the next message: `"skip"` leaves it out until it has room again, `"close"` ends it
   * with 1013. Default `"skip"`.
   */
  readonly slow?: "skip" | "close" | undefined
  /** Messages that a slow one may miss in a row before it is closed all the same. Default: any number. */
  readonly skippedMax?: number | undefined
  /** WebSockets that are sent to at a stretch. Default 256. */
  readonly sliceSize?: number | undefined
}

export interface Counts {
  readonly members: number
  /** Of these, who takes no more now. */
  readonly slow: number
  /** Messages that were not sent to somebody because of that. */
  readonly skipped: number
  /** Who was closed because of that. */
  readonly closed: number
}

export interface Broadcast {
  /** As long as the scope. Whoever is lost or closed meanwhile is passed over. */
  readonly join: (socket: WebSocket) => Effect.Effect<void, never, Scope.Scope>
  /** To all who are there now, in the order of the calls. Over when everybody was sent to, or left out; never fails. */
  readonly send: (message: Message | Prepared) => Effect.Effect<void>
  /** Says to all that it ends. */
  readonly close: (code?: number, reason?: string) => Effect.Effect<void>
  readonly counts: Effect.Effect<Counts>
}

class Member {
  readonly socket: WebSocket
  isSlow = false
  isGone = false
  skipped = 0

  constructor(socket: WebSocket) {
    this.socket = socket
  }

  /** What is left to do; `Effect.void` if nothing is. */
  send(message: Message | Prepared): Effect.Effect<void, WebSocketError> {
    const { socket } = this
    return socket instanceof NodeWebSocketConnection
      ? socket.sendNow(message)
      : Immediate.beginning(socket.send)(message)
  }
}

export const make = (options: Options = {}): Effect.Effect<Broadcast> =>
  Effect.sync((): Broadcast => {
    const sliceSize = options.sliceSize ?? 256
    const skippedMax = options.slow === "close" ? 0 : (options.skippedMax ?? Number.POSITIVE_INFINITY)
    const members = new Set<Member>()
    const lane = Semaphore.makeUnsafe(1)
    let skipped = 0
    let closed = 0

    /** What is left to do for it. */
    const leaveOut = (member: Member): Effect.Effect<void> => {
      skipped++
      if (++member.skipped <= skippedMax) return Effect.void
      closed++
      member.isGone = true
      // Behind all that it did not take, a Close may not arrive: it has the time that a Close has.
      return Effect.ignore(member.socket.close(CloseCode.tryAgainLater, "too slow"))
    }

    const sendTo = (member: Member, message: Prepared): Effect.Effect<void> => {
      if (member.isGone) return Effect.void
      if (member.isSlow) return leaveOut(member)
      const left = member.send(message)
      if (left === Effect.void) return Effect.void
      member.isSlow = true
      return Effect.ensuring(
        Effect.ignore(left),
        Effect.sync(() => {
          member.isSlow = false
          member.skipped = 0
        })
      )
    }

    /** Does it for all who are there now, in slices. Only between two of them it can be interrupted. */
    const toAll = (act: (member: Member) => Effect.Effect<void>): Effect.Effect<void> =>
      Effect.uninterruptibleMask((restore) => {
        const now = [...members]
        const slice = (from: number): Effect.Effect<void> => {
          const end = Math.min(from + sliceSize, now.length)
          const left: Array<Effect.Effect<void>> = []
          for (let i = from; i < end; i++) {
            const rest = act(now[i]!)
            if (rest !== Effect.void) left.push(rest)
          }
          const others =
            end === now.length ? Effect.void : Effect.flatMap(restore(Effect.yieldNow), () => slice(end))
          return left.length === 0 ? others : Effect.andThen(inBackground(left), others)
        }
        return slice(0)
      })

    const send = (message: Message | Prepared): Effect.Effect<void> =>
      lane.withPermits(1)(
        Effect.suspend(() => {
          const prepared =
            typeof message === "string" || message instanceof Uint8Array ? prepare(message) : message
          return toAll((member) => sendTo(member, prepared))
        })
      )

    const leave = (member: Member): Effect.Effect<void> =>
      Effect.sync(() => {
        member.isGone = true
        members.delete(member)
      })

    const close = (code: number = CloseCode.goingAway, reason = ""): Effect.Effect<void> =>
      toAll(({ socket }) => Effect.ignore(socket.close(code, reason)))

    return {
      join: (socket) =>
        Effect.flatMap(Effect.scope, (scope) => {
          const member = new Member(socket)
          members.add(member)
          return Scope.addFinalizerExit(scope, () => leave(member))
        }),
      send,
      close,
      counts: Effect.sync(() => {
        let slow = 0
        for (const member of members) if (member.isSlow) slow++
        return { members: members.size, slow, skipped, closed }
      })
    }
  })

/** Nobody waits for them: each ends with its connection, if not before. */
const inBackground = (effects: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(effects, (effect) => Effect.forkDetach(effect, { startImmediately: true }), {
    discard: true
  })
