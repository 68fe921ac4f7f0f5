/** Services as they come from a command line. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type * as Service from "../../../src/app/Service.ts"
import type * as ServiceMaker from "../../../src/app/ServiceMaker.ts"

/** What `spindle NAME ARGS` would run; its failure is what the maker fails with. */
export const service = (
  maker: ServiceMaker.Any,
  args: ReadonlyArray<string>
): Effect.Effect<Service.Any, ServiceMaker.Problem> =>
  Effect.suspend(() => {
    let made: Effect.Effect<Service.Any, ServiceMaker.Problem> | undefined
    const command = Command.make(maker.name, maker.flags, (options) =>
      Effect.sync(() => {
        made = maker.make(options as never)
      })
    )
    return Command.runWith(command, { version: "0" })(args).pipe(
      Effect.provide(NodeServices.layer),
      Effect.orDie,
      Effect.andThen(Effect.suspend(() => made ?? assert.fail(`not understood: ${args.join(" ")}`)))
    )
  })
