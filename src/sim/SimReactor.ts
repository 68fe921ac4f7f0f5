/**
 * The reactor of a simulated host. Hosts and the program of a world have theirs already; these layers are for whoever wants
 * another one: of another host, or of the same as it was before something replaced it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryReactor from "../memory/MemoryReactor.ts"
import { Reactor } from "../reactor/Reactor.ts"
import { World } from "./World.ts"

/** On the host of that name; default: the one that the world's program runs on. */
export const make = (host?: string): Effect.Effect<Reactor["Service"], never, World> =>
  Effect.flatMap(World, ({ network }) => MemoryReactor.makeOn(network.names, host ?? network.main))

/** `make` as a layer. */
export const layer = (host?: string): Layer.Layer<Reactor, never, World> => Layer.effect(Reactor, make(host))
