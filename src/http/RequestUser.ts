/** Who has made a request, for those who are told of it afterwards: an access log stands around what finds out. */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"

const users = new WeakMap<object, string>()

/** Middleware makes others of a request; its source stays. */
export const set = ({ source }: HttpServerRequest, user: string): void => void users.set(source, user)

export const of = ({ source }: HttpServerRequest): string | undefined => users.get(source)
