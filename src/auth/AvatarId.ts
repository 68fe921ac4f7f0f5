/** Who somebody is, once that is known. Twisted: what `requestAvatarId` gives. */

/** Nobody in particular, and let in all the same. Twisted: `ANONYMOUS`, an empty tuple. */
export const Anonymous: unique symbol = Symbol.for("spindle/auth/Anonymous")
export type Anonymous = typeof Anonymous

/** A name as the store has it, which need not be as the user wrote it; or nobody's. */
export type AvatarId = string | Anonymous
