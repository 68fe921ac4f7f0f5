/** What a logger was told, kept for later: the fiber has other annotations by then. */
import type * as Fiber from "effect/Fiber"
import type * as Logger from "effect/Logger"
import * as Context from "effect/Context"
import * as References from "effect/References"

type Options = Logger.Options<unknown>

/** The fiber as it is now, as far as loggers look at it. */
const still = (
  fiber: Fiber.Fiber<unknown, unknown>,
  context: Context.Context<never>
): Fiber.Fiber<unknown, unknown> =>
  Object.create(fiber, {
    context: { value: context },
    cache: { value: fiber.cache }
  }) as Fiber.Fiber<unknown, unknown>

/** The event as it is now. */
export const keep = (options: Options): Options => ({
  ...options,
  fiber: still(options.fiber, options.fiber.context)
})

/** Another event at the same place, with no annotations but these. */
export const beside = (
  options: Options,
  event: Partial<Pick<Options, "message" | "cause" | "logLevel">>,
  annotations: Readonly<Record<string, unknown>>
): Options => ({
  ...options,
  ...event,
  fiber: still(
    options.fiber,
    options.fiber.context.pipe(
      Context.add(References.CurrentLogAnnotations, annotations),
      Context.add(References.CurrentLogSpans, [])
    )
  )
})
