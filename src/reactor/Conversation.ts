import type * as Effect from "effect/Effect"

/**
 * What runs on a connection: `Protocol` by its everyday name. Here, on the lowest floor, only so that framings
 * can say what they wrap.
 */
export type Conversation<in Conn, out E, out R> = (connection: Conn) => Effect.Effect<void, E, R>

/**
 * Makes a protocol of `Outer` from a protocol of `Inner`; what the protocol may fail with and requires stays. `E2` is
 * what the wrapper itself may end the conversation with.
 */
export type Wrapper<Inner, Outer, E2 = never> = <E, R>(
  protocol: Conversation<Inner, E, R>
) => Conversation<Outer, E | E2, R>
