/** Work that must be done before the process ends, however it ends: one listener for all. */
const works = new Set<() => void>()

const run = (): void => {
  for (const work of works) {
    try {
      work()
    } catch {
      // The others have work to do, too.
    }
  }
}

/** Is called, synchronously, when the process exits, by an uncaught exception too. Gives what takes it back. */
export const atExit = (work: () => void): (() => void) => {
  if (works.size === 0) process.on("exit", run)
  works.add(work)
  return () => {
    if (works.delete(work) && works.size === 0) process.off("exit", run)
  }
}
