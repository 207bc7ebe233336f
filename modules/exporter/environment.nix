# The environment of `soloscope serve`; its benchmark has the same. Builtins only.
{
  # Python runs one thread at a time, so glibc's memory areas for threads that
  # allocate at the same time would only hold freed memory: 3 MB with 30 days.
  MALLOC_ARENA_MAX = "1";
}
