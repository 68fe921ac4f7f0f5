/** When a process that succeeds another one serves: what waits for that is done then, in the order in which it was asked for. */
import type { Beginning } from "./NodeListenerSource.ts"

export class NodeHeirBeginning implements Beginning {
  isNow = false
  private readonly waiting = new Set<() => void>()
  private readonly onError: (error: unknown) => void

  /** `onError` gets what throws: the rest is done all the same. */
  constructor(onError: (error: unknown) => void) {
    this.onError = onError
  }

  when(run: () => void): () => void {
    if (this.isNow) {
      run()
      return () => {}
    }
    this.waiting.add(run)
    return () => this.waiting.delete(run)
  }

  /** It is now. Gives whether it was not before. */
  begin(): boolean {
    if (this.isNow) return false
    this.isNow = true
    for (const run of this.waiting) {
      try {
        run()
      } catch (error) {
        this.onError(error)
      }
    }
    this.waiting.clear()
    return true
  }
}

/** Of what may be used as soon as it is there. */
export const atOnce: Beginning = {
  isNow: true,
  when: (run) => {
    run()
    return () => {}
  }
}
