/** The image that all containers run: the host's static busybox, the same archive for both daemons. */
export const image = "localhost/bench-busybox:1";
export const imagePrefix = "localhost/bench-";
