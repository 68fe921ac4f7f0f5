/** Milliseconds that this thread has worked: where others use the machine, too, the clock on the wall tells more about them. */
export const cpuMillis = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}
