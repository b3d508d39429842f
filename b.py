import sys
class A:
    def __init__(self,n): self.n=n
    def __del__(self): print('del',self.n)
x=[A(i) for i in range(3)]
