/** In what context the phases of a service run: that of the tree, and what earlier siblings provide. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { type Ending, ServiceInstance } from "./ServiceInstance.ts"
import type { Member } from "./ServiceMember.ts"
import { type Asking, CurrentAsking, within } from "./ServiceTurn.ts"

/** What a service gives to its siblings now. */
const provided = (member: Member): Context.Context<never> => {
  if (member.group === undefined) return member.life?.up === true ? member.life.provided : Context.empty()
  return member.starts.reduce(
    (context, child) => (child.exports ? Context.merge(context, provided(child)) : context),
    Context.empty()
  )
}

/** What a service has from its tree. The nearest provider of a thing wins; what it was added with is behind all of them. */
const contextOf = (member: Member): Context.Context<never> => {
  const { extra, parent, tree } = member
  if (parent === undefined) return tree.context
  let context = contextOf(parent)
  if (extra !== undefined) context = Context.merge(extra, context)
  for (const sibling of parent.starts) {
    if (sibling === member) break
    if (sibling.service.provides) context = Context.merge(context, provided(sibling))
  }
  return context
}

/** The whole context of one of its phases. */
export const phaseContext = (
  member: Member,
  phase: Asking["phase"],
  own: { readonly scope: Scope.Scope; readonly ending: Deferred.Deferred<Ending> }
): Context.Context<never> => {
  const base = contextOf(member)
  const { node, path } = member
  return base.pipe(
    Context.add(Scope.Scope, own.scope),
    Context.add(ServiceInstance, { path, ending: Deferred.await(own.ending), node }),
    Context.add(CurrentAsking, { member, phase }),
    Context.add(References.CurrentLogAnnotations, {
      ...Context.get(base, References.CurrentLogAnnotations),
      ...annotations(member)
    })
  )
}

/** What is in every line that a service logs. */
export const annotations = (member: Member): Readonly<Record<string, string>> => ({
  service: member.path,
  namespace: member.path.replaceAll("/", ".")
})

/** In the background, in this context and no other. Whoever forks it watches over it. */
export const forkIn = <A, E>(
  context: Context.Context<never>,
  effect: Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<Fiber.Fiber<A, E>> =>
  Effect.forkDetach(within(effect, context), {
    startImmediately: true
  })
