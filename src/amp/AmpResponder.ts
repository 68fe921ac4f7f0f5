/** Who responds to the commands that come. Twisted: `CommandLocator`, `SimpleStringLocator`. */
import type * as Effect from "effect/Effect"
import type * as AmpCommand from "./AmpCommand.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import type { Box } from "./AmpWire.ts"

/** A command and what responds to it, its types forgotten. */
export type Responding<R> =
  | {
      readonly _tag: "Typed"
      readonly command: AmpCommand.Any
      readonly handle: (args: unknown) => Effect.Effect<unknown, unknown, R>
    }
  | { readonly _tag: "Boxes"; readonly handle: (box: Box) => Effect.Effect<Box, unknown, R> }

export interface Responder<out R> {
  /** `undefined` leaves the command unhandled. */
  readonly find: (name: string) => Responding<R> | undefined
}

/** Responds to the commands of a group. */
export const make = <G extends AmpGroup.Any, const H extends AmpGroup.Handlers<G, unknown>>(
  group: G,
  handlers: H
): Responder<AmpGroup.RequirementsOf<H>> => {
  type R = AmpGroup.RequirementsOf<H>
  const all = new Map<string, Responding<R>>()
  const byName = handlers as unknown as Readonly<
    Record<string, (args: unknown) => Effect.Effect<unknown, unknown, R>>
  >
  for (const command of Object.values(group.commands)) {
    const handle = byName[command.name]
    if (handle !== undefined) all.set(command.name, { _tag: "Typed", command, handle })
  }
  return { find: (name) => all.get(name) }
}

/** Responds to boxes as they are. Twisted: `SimpleStringLocator`, methods `amp_NAME`. */
export const boxes = <R>(
  find: (name: string) => ((box: Box) => Effect.Effect<Box, unknown, R>) | undefined
): Responder<R> => ({
  find: (name) => {
    const handle = find(name)
    return handle === undefined ? undefined : { _tag: "Boxes", handle }
  }
})

/** The first that responds. */
export const orElse = <R, R2>(self: Responder<R>, that: Responder<R2>): Responder<R | R2> => ({
  find: (name) => self.find(name) ?? that.find(name)
})

/** Responds to nothing. */
export const none: Responder<never> = { find: () => undefined }
