import * as Effect from "effect/Effect"

/** What holds the event loop or the operating system now: sockets, servers, timers, ... */
export const resources: Effect.Effect<ReadonlyArray<string>> = Effect.sync(() =>
  // Immediates are how fibers yield.
  process.getActiveResourcesInfo().filter((name) => name !== "Immediate" && name !== "TickObject")
)
