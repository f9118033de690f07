//! Map values in our address space.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
};

use super::features::page_size;

/// All elements of a `BPF_F_MMAPABLE` array, mapped for reading and writing.
pub struct Elements<T> {
    start: NonNull<T>,
    count: usize,
    length: usize,
    _elements: PhantomData<T>,
}

// SAFETY: a shared mapping belongs to no thread; the accessors hand out raw pointers only.
unsafe impl<T> Send for Elements<T> {}

impl<T> Elements<T> {
    /// Maps an array of `count` elements whose value is a `T`. The caller has checked the sizes.
    pub fn map(array: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let length = (size_of::<T>() * count).next_multiple_of(page_size() as usize);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                array.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, count, length, _elements: PhantomData })
    }

    /// The element's address, which the kernel may write to at any time.
    ///
    /// # Panics
    ///
    /// If there is no such element, which is a mistake in this room.
    pub fn get(&self, index: usize) -> *mut T {
        assert!(index < self.count, "element {index} of {}", self.count);
        // SAFETY: within the mapping, as just checked.
        unsafe { self.start.as_ptr().add(index) }
    }
}

impl<T> Drop for Elements<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; nobody holds references into it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
