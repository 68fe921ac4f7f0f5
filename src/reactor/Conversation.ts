import type * as Effect from "effect/Effect"

/**
 * What runs on a connection: `Protocol` by its everyday name. Here, on the lowest floor, only so that framings
 * can say what they wrap.
 */
export type Conversation<in Conn, out E, out R> = (connection: Conn) => Effect.Effect<void, E, R>

/** Makes a protocol of `Outer` from a protocol of `Inner`; what the protocol may fail with and requires stays. */
export type Wrapper<Inner, Outer> = <E, R>(protocol: Conversation<Inner, E, R>) => Conversation<Outer, E, R>
